const labelled = records.some((record) => record.clicked !== undefined);
const mean = records.reduce((sum, record) => sum + record.probability, 0) / records.length;
const base = overview ? overview.figures.base_rate : mean;
const place = axisOf([base, ...records.map((record) => record.probability)]);

function listed(record, number) {
  const article = make("article");
  const button = make("button");
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  button.append(
    make("span", `#${number}`, "number"),
    make("span", share(record.probability), "probability"),
    probabilityBar(place, base, record.probability),
    make("span", record.sentence, "sentence"),
  );
  if (labelled) {
    const words = record.clicked ? "● clicked" : "○ no click";
    button.querySelector(".probability").after(make("span", words, "outcome"));
  }
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

const heaviest = (record) => record.order_weights.indexOf(Math.max(...record.order_weights));
const right = ({ clicked, probability }) => (clicked ? probability : 1 - probability);
const ORDERS = {
  record: (a, b) => a.number - b.number,
  highest: (a, b) => b.record.probability - a.record.probability,
  lowest: (a, b) => a.record.probability - b.record.probability,
  surprising: (a, b) => right(a.record) - right(b.record),
  order: (a, b) => heaviest(a.record) - heaviest(b.record) || a.number - b.number,
};
const OUTCOMES = {
  all: () => true,
  clicked: (record) => record.clicked,
  not: (record) => !record.clicked,
  above: (record) => record.probability >= base,
  below: (record) => record.probability < base,
  surprising: (record) => record.clicked !== record.probability >= base,
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
  const [field, value] = [byId("field").value, byId("value").value];
  const outcome = OUTCOMES[byId("outcome").value];
  const found = items.filter(
    ({ record, words }) =>
      words.includes(wanted) && outcome(record) && (!value || record.values[field] === value.slice(1)),
  );
  found.sort(ORDERS[byId("sort").value]);
  byId("records").replaceChildren(...found.map((item) => item.element));
  byId("count").textContent = `${found.length} of ${items.length} records`;
}

function option(value, text) {
  const element = make("option", text);
  element.value = value;
  return element;
}

// The values that a field has, the most frequent first; a value may be empty, so that "=" marks it.
function listValues() {
  const field = byId("field").value;
  const counts = new Map();
  for (const { values } of field ? records : []) {
    counts.set(values[field], (counts.get(values[field]) ?? 0) + 1);
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  const options = sorted.map(([value, count]) => option(`=${value}`, `${value} (${count})`));
  byId("value").replaceChildren(option("", "any value"), ...options);
  byId("value").disabled = !field;
  list();
}

const root = document.documentElement;
root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
byId("theme").addEventListener("click", () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
});
if (overview) drawOverview();
if (!labelled) document.querySelectorAll("option[data-labelled]").forEach((one) => one.remove());
const name = overview ? "the base rate" : "the mean prediction";
byId("axis").textContent = `Bars begin at ${name}, ${share(base)}, and are on a scale of log-odds.`;
byId("field").append(...fields.map((field) => option(field, field)));
byId("field").addEventListener("change", listValues);
for (const id of ["value", "outcome", "sort"]) byId(id).addEventListener("change", list);
byId("search").addEventListener("input", list);
listValues();
