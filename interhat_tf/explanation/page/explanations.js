"use strict";
const { field_names: fields, records } = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const signed = (x) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(3);
const LARGEST = 12;

// A field and its value; one of the two if they agree.
function label(record, field) {
  const value = record.values[field];
  if (value === "(missing)") return `${field} unknown`;
  return value === field || value === `not ${field}` ? value : `${field} = ${value}`;
}

// Everything that comes from the log goes through textContent and is never read as HTML.
function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function listed(record, number) {
  const article = make("article");
  const button = make("button");
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  button.append(
    make("span", `#${number}`, "number"),
    make("span", record.probability.toFixed(3), "number"),
    make("span", record.sentence),
  );
  // A record's pictures are drawn when it is opened, so that a thousand of them load at once.
  button.addEventListener("click", () => {
    const open = article.querySelector(".detail");
    if (open) open.remove();
    else article.append(detail(record));
    button.setAttribute("aria-expanded", String(!open));
  });
  article.append(button);
  return article;
}

function detail(record) {
  const panel = make("div", undefined, "detail");
  panel.append(
    make("h2", "Attention: orders and fields; the fuller, the heavier"),
    heatMap(record),
    make("h2", "Contributions to the logit: blue raises, orange lowers"),
    ...waterfall(record),
  );
  if (record.effects) {
    panel.append(
      make("h2", "Effects of each field’s own value on the logit, others’ values in its place"),
      ...effects(record),
    );
  }
  return panel;
}

function heatMap(record) {
  const table = make("table");
  const head = table.createTHead().insertRow();
  head.append(make("th", "order (weight)"));
  for (const field of fields) {
    const cell = make("th");
    cell.title = label(record, field);
    cell.append(make("span", field), make("span", record.values[field], "value"));
    head.append(cell);
  }
  const body = table.createTBody();
  record.field_weights.forEach((weights, order) => {
    const row = body.insertRow();
    row.append(make("th", `${order + 1} (${record.order_weights[order].toFixed(2)})`));
    weights.forEach((weight, j) => {
      const cell = row.insertCell();
      cell.style.background = `rgba(var(--blue), ${weight.toFixed(3)})`;
      cell.tabIndex = 0;
      const words =
        `${label(record, fields[j])}\norder ${order + 1}: weight ` +
        `${weight.toFixed(3)}\ncontribution ${signed(record.contributions[order][j])}`;
      cell.setAttribute("aria-label", words);
      cell.addEventListener("pointerenter", (event) => show(words, event.clientX, event.clientY));
      cell.addEventListener("focus", () => {
        const box = cell.getBoundingClientRect();
        show(words, box.left, box.bottom);
      });
      cell.addEventListener("pointerleave", hide);
      cell.addEventListener("blur", hide);
    });
  });
  const scroll = make("div", undefined, "scroll");
  scroll.append(table);
  return scroll;
}

function waterfall(record) {
  const totals = fields.map((field, j) => [
    label(record, field),
    record.contributions.reduce((sum, row) => sum + row[j], 0),
  ]);
  totals.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const rest = totals.splice(LARGEST);
  if (rest.length) {
    totals.push([`${rest.length} other fields`, rest.reduce((sum, [, x]) => sum + x, 0)]);
  }
  let end = record.bias;
  const steps = [["bias", 0, record.bias, "total"]];
  for (const [name, amount] of totals) steps.push([name, end, (end += amount)]);
  steps.push(["logit", 0, record.logit, "total"]);
  return bars(steps);
}

function effects(record) {
  const steps = fields.map((field, j) => [label(record, field), 0, record.effects[j]]);
  steps.sort((a, b) => Math.abs(b[2]) - Math.abs(a[2]));
  return bars(steps.slice(0, LARGEST));
}

// A bar for each step, on one scale: a step is a name, where it begins and ends, and maybe a class.
function bars(steps) {
  const ends = steps.flatMap(([, from, to]) => [from, to]);
  const low = Math.min(...ends);
  const width = Math.max(...ends) - low || 1;
  return steps.map(([name, from, to, kind]) => {
    const bar = make("div", undefined, "bar");
    const track = make("span", undefined, "track");
    const fill = make("i", undefined, kind ?? (to < from ? "lowers" : "raises"));
    fill.style.left = `${((Math.min(from, to) - low) / width) * 100}%`;
    fill.style.width = `${(Math.abs(to - from) / width) * 100}%`;
    track.append(fill);
    bar.append(make("span", name), track, make("span", signed(to - from), "amount"));
    return bar;
  });
}

function show(words, x, y) {
  const hover = byId("hover");
  hover.textContent = words;
  hover.hidden = false;
  hover.style.left = `${Math.min(x + 12, innerWidth - hover.offsetWidth - 4)}px`;
  hover.style.top = `${Math.min(y + 12, innerHeight - hover.offsetHeight - 4)}px`;
}

function hide() {
  byId("hover").hidden = true;
}

const heaviest = (record) => record.order_weights.indexOf(Math.max(...record.order_weights));
const ORDERS = {
  record: (a, b) => a.number - b.number,
  highest: (a, b) => b.record.probability - a.record.probability,
  lowest: (a, b) => a.record.probability - b.record.probability,
  order: (a, b) => heaviest(a.record) - heaviest(b.record) || a.number - b.number,
};
const items = records.map((record, number) => ({
  record,
  number,
  element: listed(record, number),
  words: [record.sentence, ...fields.map((field) => `${field} = ${record.values[field]}`)]
    .join("\n")
    .toLowerCase(),
}));

function list() {
  const wanted = byId("search").value.trim().toLowerCase();
  const found = items.filter((item) => item.words.includes(wanted));
  found.sort(ORDERS[byId("sort").value]);
  byId("records").replaceChildren(...found.map((item) => item.element));
  byId("count").textContent = `${found.length} of ${items.length} records`;
}

const root = document.documentElement;
root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
byId("theme").addEventListener("click", () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
});
byId("search").addEventListener("input", list);
byId("sort").addEventListener("change", list);
list();
