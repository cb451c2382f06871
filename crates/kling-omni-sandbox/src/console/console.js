// Replaces the parts of the page that the server sends, and sends forms without leaving the page.
"use strict";

const connection = document.getElementById("connection");
const notice = document.getElementById("notice");
// Parts that arrived while their text was selected, by id.
const postponed = new Map();

function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

function isSelected(element) {
  const selection = document.getSelection();
  return !selection.isCollapsed && selection.containsNode(element, true);
}

// Replaces the element with the id of `part`, unless it has the same version. The focus stays where it was.
function replace(part) {
  const old = document.getElementById(part.id);
  if (!old || old.dataset.version === part.dataset.version) return;
  if (isSelected(old)) {
    postponed.set(part.id, part);
    return;
  }
  const active = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(part);
  if (active) {
    part.tabIndex = -1;
    (document.getElementById(active) ?? part).focus({ preventScroll: true });
  }
}

function replaceAll(page) {
  for (const part of page.querySelectorAll("[data-version]")) {
    postponed.delete(part.id);
    replace(part);
  }
}

document.addEventListener("selectionchange", () => {
  for (const part of [...postponed.values()]) {
    postponed.delete(part.id);
    replace(part);
  }
});

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    const body = new URLSearchParams(new FormData(form));
    const response = await fetch(form.action, { method: "POST", body });
    const page = parse(await response.text());
    notice.textContent = page.getElementById("notice")?.textContent ?? response.statusText;
    replaceAll(page);
    if (response.ok) form.reset();
  } catch {
    notice.textContent = "The sandbox does not respond";
  }
});

const stream = new EventSource(document.body.dataset.live);
stream.addEventListener("part", (event) => replaceAll(parse(event.data)));
stream.addEventListener("open", () => {
  connection.textContent = "Live";
});
stream.addEventListener("error", () => {
  const isClosed = stream.readyState === EventSource.CLOSED;
  connection.textContent = isClosed ? "Not live: reload the page" : "Connection lost: trying again";
});
