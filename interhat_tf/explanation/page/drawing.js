"use strict";
const byId = (id) => document.getElementById(id);
const signed = (x) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(3);

// Everything that comes from the log goes through textContent and is never read as HTML.
function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function draw(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// A bar for each step, on one scale: a step is a name, where it begins and ends, and maybe a class.
function bars(steps) {
  const ends = steps.flatMap(([, from, to]) => [from, to]);
  const low = Math.min(...ends);
  const width = Math.max(...ends) - low || 1;
  const list = make("ul", undefined, "bars");
  for (const [name, from, to, kind] of steps) {
    const bar = make("li", undefined, "bar");
    const track = make("span", undefined, "track");
    const fill = make("i", undefined, kind ?? (to < from ? "lowers" : "raises"));
    fill.style.left = `${((Math.min(from, to) - low) / width) * 100}%`;
    fill.style.width = `${(Math.abs(to - from) / width) * 100}%`;
    track.append(fill);
    const amount = kind === "size" ? (to - from).toFixed(3) : signed(to - from);
    bar.append(make("span", name), track, make("span", amount, "amount"));
    list.append(bar);
  }
  return list;
}

const logit = (p) => Math.log(p / (1 - p));
const inside = (p) => Math.min(Math.max(p, 1e-6), 1 - 1e-6);
const share = (p) => (p < 0.01 ? p.toPrecision(2) : p.toFixed(3));

// Where probabilities stand between 0 and 1 on an axis of log-odds, which keeps rare clicks apart.
function axisOf(probabilities) {
  const ends = probabilities.map((p) => logit(inside(p)));
  const low = Math.min(...ends);
  const width = Math.max(...ends) - low || 1;
  return (p) => (logit(inside(p)) - low) / width;
}

// A bar from the base rate to a probability.
function probabilityBar(place, base, p) {
  const track = make("span", undefined, "track axis");
  const fill = make("i", undefined, p < base ? "lowers" : "raises");
  const [from, to] = [place(base), place(p)];
  fill.style.left = `${Math.min(from, to) * 100}%`;
  fill.style.width = `${Math.abs(to - from) * 100}%`;
  const mark = make("i", undefined, "base");
  mark.style.left = `${from * 100}%`;
  track.append(fill, mark);
  track.setAttribute("aria-hidden", "true"); // the probability stands beside it
  return track;
}
