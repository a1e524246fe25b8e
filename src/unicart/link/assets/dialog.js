// The dialog's own page: shows the parts that the server renders, and tells the page around it of nothing but the outcome.
"use strict";

const { root, origin, magic } = document.body.dataset;
const screen = document.getElementById("screen");
const POLL = 1500;
let session = "";
let timer = 0;
let integration = "";

const tell = (message) => {
  if (origin) {
    window.parent.postMessage(message, origin);
  }
};

const close = () => tell({ unicart: "close" });

const show = (html) => {
  screen.innerHTML = html;
  screen.removeAttribute("aria-busy");
  const targets = ["[aria-invalid=true]", "[data-focus]", "h1"];
  const target = targets.map((each) => screen.querySelector(each)).find(Boolean);
  if (target) {
    target.focus();
  }
};

const showProblem = (text) => {
  const template = document.getElementById("problem").content.cloneNode(true);
  template.querySelector("p").textContent = text;
  screen.replaceChildren(template);
  screen.removeAttribute("aria-busy");
  screen.querySelector("h1").focus();
};

const ask = async (path, body) => {
  const headers = { "content-type": "application/json" };
  if (session) {
    headers.authorization = `Bearer ${session}`;
  }
  const reply = await fetch(`${root}session${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
    credentials: "omit",
  });
  const answer = await reply.json();
  return reply.ok ? answer : { error: answer.error };
};

const take = (answer) => {
  if (answer.error) {
    showProblem(answer.error);
    return;
  }
  if (answer.session) {
    session = answer.session;
  }
  show(answer.html);
  if (answer.integration_name) {
    session = "";
    if (answer.auth_code) {
      tell({ unicart: "success", authCode: answer.auth_code, integrationName: answer.integration_name });
    }
  }
};

const send = async (path, body) => {
  screen.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(path, body);
    take(answer);
    return answer;
  } catch {
    showProblem("The server cannot be reached. Check your connection, close this dialog and begin again.");
    return {};
  }
};

const busy = (form) => {
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  button.textContent = button.dataset.busy;
};

const values = (form) => Object.fromEntries(new FormData(form));

const poll = async () => {
  const mine = timer;
  let answer = { waiting: true };
  try {
    answer = await ask("/status", { integration });
  } catch {
    // The next question may reach the server again.
  }
  if (timer !== mine) {
    return;
  }
  if (answer.waiting) {
    timer = setTimeout(poll, POLL);
  } else {
    timer = 0;
    take(answer);
  }
};

const authorize = async (form) => {
  // Now, not when the server has answered: browsers open windows only at the moment of a click.
  const popup = window.open("", "_blank", "popup,width=560,height=760");
  integration = form.dataset.integration;
  busy(form);
  const answer = await send("/authorize", { integration, values: values(form) });
  if (!answer.url) {
    if (popup) {
      popup.close();
    }
    return;
  }
  if (popup) {
    popup.opener = null;
    popup.location.replace(answer.url);
  }
  timer = setTimeout(poll, POLL);
};

const filter = (input) => {
  const wanted = input.value.trim().toLowerCase();
  let count = 0;
  for (const item of screen.querySelectorAll("#integrations > li")) {
    item.hidden = !item.dataset.name.includes(wanted);
    count += item.hidden ? 0 : 1;
  }
  screen.querySelector("#count").textContent = count === 1 ? "1 platform" : `${count} platforms`;
  screen.querySelector("#none").hidden = count > 0;
};

screen.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (!button) {
    return;
  }
  const { action } = button.dataset;
  clearTimeout(timer);
  timer = 0;
  if (action === "close") {
    close();
  } else if (action === "list") {
    send("/list", {});
  } else if (action === "pick") {
    send("/pick", { integration: button.dataset.integration });
  }
});

screen.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.dataset.authorize !== undefined) {
    authorize(form);
  } else {
    busy(form);
    send("/connect", { integration: form.dataset.integration, values: values(form) });
  }
});

screen.addEventListener("input", (event) => {
  if (event.target.id === "search") {
    filter(event.target);
  }
});

document.addEventListener("keydown", (event) => {
  // In a search field, the key first clears what was typed.
  if (event.key === "Escape" && !(event.target.type === "search" && event.target.value)) {
    close();
  }
});

window.addEventListener("message", (event) => {
  if (!origin || event.origin !== origin || event.source !== window.parent || !event.data || session) {
    return;
  }
  if (event.data.unicart === "open") {
    send("", { link_token: event.data.linkToken, origin, options: event.data.options });
  } else if (event.data.unicart === "failed") {
    showProblem("The page could not get a link token. Close this dialog and try again.");
  }
});

if (magic && document.body.dataset.over === undefined) {
  send("", { magic });
} else if (origin && document.body.dataset.over === undefined) {
  tell({ unicart: "ready" });
}
