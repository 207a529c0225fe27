// Keeps the board as the server tells it: rows that stay are only changed, so that focus and selection stay, too.
"use strict";
(() => {
  const board = document.getElementById("board");
  const lost = document.getElementById("lost");
  if (!board || !window.EventSource) return;

  const keyed = (body) => new Map([...body.rows].map((row) => [row.dataset.key, row]));

  // The cells of a row that stays.
  const mend = (row, now) => {
    [...now.cells].forEach((cell, at) => {
      const mine = row.cells[at];
      if (mine.className !== cell.className) mine.className = cell.className;
      if (mine.textContent !== cell.textContent) mine.replaceChildren(...cell.childNodes);
    });
  };

  const rows = (mine, now) => {
    const before = keyed(mine);
    let place = null;
    for (const row of [...now.rows]) {
      const stays = before.get(row.dataset.key);
      before.delete(row.dataset.key);
      if (stays) mend(stays, row);
      const next = stays || row;
      const here = place ? place.nextElementSibling : mine.firstElementChild;
      if (here !== next) mine.insertBefore(next, here);
      place = next;
    }
    before.forEach((row) => row.remove());
  };

  const show = (html) => {
    // The server escapes what it shows; a template runs nothing.
    const template = document.createElement("template");
    template.innerHTML = html;
    const now = template.content.querySelector("tbody");
    const mine = board.querySelector("tbody");
    if (!now || !mine) {
      board.replaceChildren(template.content);
      return;
    }
    rows(mine, now);
    for (const part of [".counters", ".more"]) {
      board.querySelector(part).replaceWith(template.content.querySelector(part));
    }
  };

  const events = new EventSource(board.dataset.events);
  events.onmessage = (event) => {
    lost.hidden = true;
    show(event.data);
  };
  events.onerror = () => {
    lost.hidden = false;
    lost.textContent = board.dataset.lost;
    // Refused for good: the session has ended, and the page itself says what to do.
    if (events.readyState === EventSource.CLOSED) window.setTimeout(() => window.location.reload(), 3000);
  };
})();
