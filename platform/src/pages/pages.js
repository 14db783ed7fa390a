// Live values, parts of a page, and charts that the keyboard reads. Without it every page works.

const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy("part", { createHTML: (text) => text })
  : { createHTML: (text) => text };

const parts = () => [...document.querySelectorAll("[data-part]")];
const asked = new Set();
const again = new Set();

// Replaces one part by what the server makes of it now. What has the focus keeps it. What happens
// while it is asked for may not be in the answer.
async function renew(part) {
  if (!part.isConnected || document.hidden) return;
  if (asked.has(part.id)) return again.add(part.id);
  const focused = document.activeElement;
  if (part.contains(focused) && /^(INPUT|SELECT|TEXTAREA)$/.test(focused.tagName)) return;
  asked.add(part.id);
  try {
    const answer = await fetch(location.href, { headers: { "X-Part": part.id } });
    if (answer.redirected || answer.status === 404) return location.reload();
    if (!answer.ok) return;
    const text = await answer.text();
    const made = new DOMParser().parseFromString(policy.createHTML(text), "text/html");
    const place = [...part.querySelectorAll("a,button,summary")].indexOf(document.activeElement);
    const open = [...part.querySelectorAll("details")].map((one) => one.open);
    part.replaceChildren(...made.body.childNodes);
    [...part.querySelectorAll("details")].forEach((one, index) => { one.open = open[index] ?? false; });
    if (place >= 0) [...part.querySelectorAll("a,button,summary")][place]?.focus();
    part.querySelectorAll("[data-chart]").forEach(readable);
    if (part.querySelector('[data-command="Pending"],[data-command="Sent"]')) part.dataset.part = "1";
  } catch {
    // The next event or the next time asks again.
  } finally {
    asked.delete(part.id);
    if (again.delete(part.id)) renew(part);
  }
}

let stream;
let isLive = false;
let failures = 0;

// Says that what is shown grows old, once a second attempt has failed.
function lost(isLost) {
  failures = isLost ? failures + 1 : 0;
  document.getElementById("lost").hidden = failures < 2;
}

function listen() {
  const live = parts().filter((part) => part.dataset.live);
  if (!live.length || document.hidden || stream) return;
  const on = [...new Set(live.map((part) => part.dataset.on ?? ""))];
  const query = on.includes("") ? "" : "?on=" + on.map(encodeURIComponent).join(",");
  stream = new EventSource("/live" + query);
  stream.onopen = () => {
    isLive = true;
    lost(false);
    // What came since the page was made, and while there was no stream.
    parts().filter((part) => part.dataset.live).forEach(renew);
  };
  stream.onerror = () => {
    isLive = false;
    // A stream that is refused is closed; one that goes on trying has nobody on the other side.
    lost(stream.readyState === EventSource.CONNECTING);
    if (stream.readyState === EventSource.CLOSED) stream = undefined;
  };
  for (const name of ["reading", "alert", "documents"]) {
    stream.addEventListener(name, () => {
      parts().filter((part) => part.dataset.live?.split(" ").includes(name)).forEach(renew);
    });
  }
  stream.addEventListener("clock", () => parts().filter((part) => part.dataset.live).forEach(renew));
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream?.close();
    stream = undefined;
    isLive = false;
  } else {
    parts().forEach(renew);
    listen();
  }
});

// Parts with a period, and all of them where the stream is refused.
let seconds = 0;
setInterval(() => {
  seconds += 1;
  for (const part of parts()) {
    const period = Number(part.dataset.part) || (part.dataset.live && !isLive ? 30 : 0);
    if (period && seconds % period === 0) renew(part);
  }
  for (const time of document.querySelectorAll("time[data-age]")) age(time);
  // What nobody sends: that what is shown is too old by now.
  for (const old of document.querySelectorAll("[data-ages]")) {
    old.dataset.since ??= Date.now();
    if (Date.now() - old.dataset.since > 1000 * old.dataset.ages) renew(old.closest("[data-part]"));
  }
}, 1000);

const loaded = Date.now();
function age(time) {
  const [, number, unit] = /^(\d+) (s|min) ago$/.exec(time.dataset.text ?? (time.dataset.text = time.textContent)) ?? [];
  if (!number) return;
  time.dataset.since ??= Date.now() - number * (unit === "s" ? 1000 : 60000);
  const old = Math.floor((Date.now() - time.dataset.since) / 1000);
  if (old < 60) time.textContent = old + " s ago";
  else if (old < 3600) time.textContent = Math.floor(old / 60) + " min ago";
}

// Arrow keys read a chart's values aloud.
function readable(chart) {
  const figure = chart.closest("figure");
  const points = JSON.parse(figure.querySelector(".points")?.textContent || "[]");
  const output = figure.querySelector("output");
  let at = points.length;
  const read = () => {
    const [time, value] = points[at];
    output.textContent = time + ": " + (value ? value.text + " " + value.unit : "no reading");
  };
  chart.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.round(points.length / 10));
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -page, PageDown: page, Home: -1e9, End: 1e9 }[event.key];
    if (event.key === "Escape") {
      output.textContent = "";
      return;
    }
    if (!step || !points.length) return;
    event.preventDefault();
    at = Math.min(points.length - 1, Math.max(0, at + step));
    read();
  });
  chart.addEventListener("pointermove", (event) => {
    if (!points.length) return;
    const box = chart.getBoundingClientRect();
    at = Math.min(points.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * points.length)));
    read();
  });
}

// Buttons that move a picture within its room, for those who do not drag.
for (const buttons of document.querySelectorAll("[data-pan]")) {
  buttons.hidden = false;
  const room = document.getElementById(buttons.dataset.pan);
  buttons.addEventListener("click", ({ target }) => {
    const [x, y] = (target.value || "0 0").split(" ").map(Number);
    room.scrollBy(x * room.clientWidth / 2, y * room.clientHeight / 2);
  });
}

document.querySelectorAll("[data-chart]").forEach(readable);
document.getElementById("errors")?.focus();
listen();
