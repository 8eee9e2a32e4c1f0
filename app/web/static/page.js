// Conveniences over pages that work without them: keys, and copying of citations.
"use strict";

const said = document.getElementById("said");
const links = [...document.querySelectorAll(".hit a.open")];

const say = (text) => { said.textContent = ""; requestAnimationFrame(() => { said.textContent = text; }); };

async function copy(citation, button) {
  try {
    await navigator.clipboard.writeText(citation);
  } catch {
    if (!copyBySelection(citation)) { say("복사하지 못했습니다"); return; }
  }
  say(`복사했습니다: ${citation}`);
  if (!button) return;
  const label = button.dataset.label ??= button.textContent;
  button.textContent = "복사됨";
  setTimeout(() => { button.textContent = label; }, 1500);
}

// Where the page is not served over HTTPS, browsers withhold the clipboard.
function copyBySelection(text) {
  const area = document.createElement("textarea");
  const focused = document.activeElement;
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}

const current = () => links.findIndex((link) => link.closest(".hit").contains(document.activeElement));

function move(step) {
  if (!links.length) return false;
  const next = Math.min(Math.max(current() + step, 0), links.length - 1);
  links[next].focus();
  links[next].closest(".hit").scrollIntoView({ block: "nearest" });
  return true;
}

function copyCurrent() {
  const holder = links.length ? links[current()]?.closest(".hit") : document.querySelector(".sheet[data-citation]");
  if (!holder) return false;
  copy(holder.dataset.citation, holder.querySelector(".copy"));
  return true;
}

function focusBox() {
  const box = document.getElementById("q");
  box?.focus();
  box?.select();
  return Boolean(box);
}

const keys = {
  "/": focusBox,
  j: () => move(1),
  k: () => move(-1),
  c: copyCurrent,
  ArrowDown: () => current() >= 0 && move(1),
  ArrowUp: () => current() >= 0 && move(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const typing = event.target.closest?.("input, textarea, select");
  if (typing && event.key === "ArrowDown" && move(1)) event.preventDefault();
  if (typing) return;
  if (keys[event.key]?.()) event.preventDefault();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.(".copy");
  if (button) copy(button.dataset.copy, button);
});

for (const hidden of document.querySelectorAll(".copy, .keys")) hidden.hidden = false;
