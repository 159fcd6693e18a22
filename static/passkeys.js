"use strict";
// Asks the browser for a passkey and puts its answer into the form; without script the page says so in words.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const REFUSED = {
  NotAllowedError: "The browser gave no passkey: it was cancelled, took too long, or there is none for this portal here.",
  InvalidStateError: "This device is set up as a passkey of yours already.",
  SecurityError: "Passkeys work only where the portal is opened by its own name and over https.",
};
const FAILED = "The browser could not use a passkey. Use another way.";

function read(form) {
  const options = JSON.parse(form.dataset.passkey);
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const list of [options.allowCredentials, options.excludeCredentials]) {
    for (const one of list || []) one.id = bytes(one.id);
  }
  return options;
}

function written(made) {
  const answer = { clientDataJSON: text(made.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[name]) answer[name] = text(made.response[name]);
  }
  return JSON.stringify({
    id: made.id, rawId: text(made.rawId), type: made.type, response: answer,
    clientExtensionResults: {}, authenticatorAttachment: made.authenticatorAttachment,
  });
}

async function ask(form) {
  const words = form.querySelector("[data-passkey-words]");
  const button = form.querySelector("button");
  words.textContent = "";
  button.disabled = true;
  try {
    const made = await navigator.credentials[form.dataset.way]({ publicKey: read(form) });
    form.elements.answer.value = written(made);
    form.submit();
  } catch (error) {
    words.textContent = REFUSED[error.name] || FAILED;
    button.disabled = false;
  }
}

const known = window.PublicKeyCredential && navigator.credentials;
for (const words of document.querySelectorAll("[data-without-passkeys]")) {
  words.hidden = Boolean(known);
  words.textContent = words.dataset.withoutPasskeys;
}
if (known) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (form.reportValidity()) ask(form);
    });
  }
}
