"use strict";
// While a sync runs, the part of the page that tells of it is read again; a part that is being used is left alone.
const refresh = async () => {
  const live = document.querySelector("#live[data-refresh]");
  if (!live) return;
  if (!document.hidden && !live.contains(document.activeElement)) {
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.querySelector("#live");
        if (fresh) live.replaceWith(document.adoptNode(fresh));
      }
    } catch {
      // The next time may work.
    }
  }
  setTimeout(refresh, Number(live.dataset.refresh));
};
setTimeout(refresh, 3000);

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}
for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.confirm)) event.preventDefault();
  });
}
