// Unicart's link dialog. A page loads this script; it opens the dialog in a frame of Unicart's own origin, so that nothing
// that is entered there is ever seen by the page.
(() => {
  "use strict";

  const base = "BASE_URL";
  const origin = new URL(base).origin;
  const DIALOG = { position: "fixed", inset: "0", width: "100vw", height: "100dvh", maxWidth: "none", maxHeight: "none", margin: "0", padding: "0", border: "0", background: "transparent", overflow: "hidden" };
  const FRAME = { display: "block", width: "100%", height: "100%", border: "0", background: "transparent", colorScheme: "light dark" };
  const NAMES = ["integrationAllowList", "integrationBlockList", "integrationsWithEndpoints", "disabledFunctions"];

  if (window.Trackstar && window.Trackstar.unicart) {
    return;
  }

  const call = (callback, ...values) => {
    try {
      if (typeof callback === "function") {
        return callback(...values);
      }
    } catch (error) {
      console.error(error);
    }
    return undefined;
  };

  const list = (value) => (Array.isArray(value) ? value.map(String) : []);

  const dialogOptions = (config, integrationId) => {
    const [allow, block, endpoints, disabled_functions] = NAMES.map((name) => list(config[name]));
    const options = { allow, block, endpoints, disabled_functions, sandbox: config.sandbox === true };
    if (typeof integrationId === "string" && integrationId) {
      options.integration = integrationId;
    }
    if (typeof config.integrationType === "string" && config.integrationType) {
      options.integration_type = config.integrationType;
    }
    return options;
  };

  const make = () => {
    let config = null;
    let shown = null;

    const close = () => {
      if (!shown) {
        return;
      }
      const { dialog, listener } = shown;
      shown = null;
      window.removeEventListener("message", listener);
      dialog.close();
      dialog.remove();
      call(config.onClose);
    };

    const open = ({ integrationId } = {}) => {
      if (!config) {
        console.error("Trackstar has not been loaded, did you call Trackstar.init()?");
        return;
      }
      if (shown) {
        return;
      }
      const options = dialogOptions(config, integrationId);
      const token = Promise.resolve()
        .then(() => config.getLinkToken())
        .then((value) => {
          if (typeof value !== "string" || !value) {
            throw new TypeError("getLinkToken must return a promise of a link token.");
          }
          return { unicart: "open", linkToken: value, options };
        })
        .catch((error) => {
          console.error(error);
          return { unicart: "failed" };
        });

      const dialog = document.createElement("dialog");
      const frame = document.createElement("iframe");
      Object.assign(dialog.style, DIALOG);
      Object.assign(frame.style, FRAME);
      dialog.setAttribute("aria-label", "Connect a shop");
      frame.title = "Connect a shop";
      frame.referrerPolicy = "no-referrer";
      frame.src = `${base}/link/dialog?origin=${encodeURIComponent(window.location.origin)}`;

      const listener = (event) => {
        if (event.origin !== origin || event.source !== frame.contentWindow || !event.data) {
          return;
        }
        const { unicart, authCode, integrationName } = event.data;
        if (unicart === "ready") {
          frame.focus();
          token.then((message) => frame.contentWindow && frame.contentWindow.postMessage(message, origin));
        } else if (unicart === "success") {
          call(config.onSuccess, authCode, integrationName);
        } else if (unicart === "close") {
          close();
        }
      };
      shown = { dialog, listener };
      window.addEventListener("message", listener);
      dialog.addEventListener("cancel", (event) => {
        event.preventDefault();
        close();
      });
      dialog.append(frame);
      document.body.append(dialog);
      dialog.showModal();
    };

    const instance = { state: { isLoaded: false }, open, close, unicart: true };
    const configure = (options) => {
      const first = config === null;
      config = options;
      instance.state.isLoaded = true;
      if (first) {
        queueMicrotask(() => call(config.onLoad));
      }
    };
    instance.init = (options) => {
      if (!options || typeof options.getLinkToken !== "function" || typeof options.onSuccess !== "function") {
        console.error("Trackstar.init() needs the functions getLinkToken and onSuccess.");
        return;
      }
      if (options.buttonId) {
        named(`Trackstar${options.buttonId}`).configure(options);
      } else {
        configure(options);
      }
    };
    return { instance, configure };
  };

  const known = new Map();
  const named = (name) => {
    if (!known.has(name)) {
      const made = make();
      known.set(name, made);
      window[name] = made.instance;
    }
    return known.get(name);
  };

  named("Trackstar");
})();
