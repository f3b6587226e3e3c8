// Fetches every element with data-poll again while the page is looked at, so that progress is seen as it happens.
"use strict";

const EVERY_MS = 3000;

async function refresh(element) {
  if (document.hidden) return;
  try {
    const answer = await fetch(element.dataset.poll, { headers: { Accept: "text/html" } });
    element.classList.toggle("stale", !answer.ok);
    if (answer.ok) element.innerHTML = await answer.text();
  } catch {
    element.classList.add("stale");
  }
}

for (const element of document.querySelectorAll("[data-poll]")) {
  setInterval(refresh, EVERY_MS, element);
}
