const overview = JSON.parse(byId("overview-data").textContent);
const FIGURES = {
  auc: "AUC",
  logloss: "logloss",
  base_rate: "base rate: share of clicks",
  ratio: "predicted over observed clicks",
  expected_calibration_error: "expected calibration error",
};

function drawOverview() {
  const figures = make("dl");
  for (const [name, title] of Object.entries(FIGURES)) {
    const value = overview.figures[name];
    if (typeof value !== "number") continue;
    const tile = make("div");
    tile.append(make("dt", title), make("dd", value.toPrecision(4)));
    figures.append(tile);
  }
  const charts = make("div", undefined, "charts");
  if (overview.importance.length) charts.append(importance(overview.importance, fieldTitle));
  if (overview.pairs.length) charts.append(importance(overview.pairs, pairTitle));
  charts.append(reliability());
  byId("overview").append(make("p", overview.about, "soft"), figures, charts);
  byId("overview").hidden = false;
}

const fieldTitle = ([first]) => `${first.fields} moves the logit most`;
const pairTitle = ([first]) => `${first.fields} do most together, beyond what each does alone`;

function importance(rows, title) {
  const figure = make("figure");
  figure.append(
    make("figcaption", title(rows)),
    bars(rows.map((row) => [row.fields, 0, row.strength, "size"])),
    make("p", `Mean |effect| on the logit. ${overview.of_importance}`, "soft"),
  );
  return figure;
}

function reliabilityTitle() {
  const { ratio } = overview.figures;
  if (ratio === null) return "No record was clicked";
  const more = Math.round(Math.abs(ratio - 1) * 100);
  if (Math.abs(ratio - 1) < 2 / Math.sqrt(overview.clicks)) {
    return "As many clicks as predicted, within chance";
  }
  return `${more}% too ${ratio > 1 ? "many" : "few"} clicks are predicted`;
}

// Observed against predicted shares, both logarithmic, since clicks are rare.
function reliability() {
  const { predicted, observed, low, high } = overview.reliability;
  const ends = [...predicted, ...observed, ...low].filter((p) => p > 0);
  const first = Math.log(Math.min(...ends) / 1.3);
  const last = Math.log(Math.min(Math.max(...predicted, ...high) * 1.3, 1));
  const place = (p) => (Math.log(Math.max(p, Math.exp(first))) - first) / (last - first);
  const x = (p) => 48 + 240 * place(p);
  const y = (p) => 250 - 240 * place(p);
  const picture = draw("svg", { viewBox: "0 0 300 300", role: "img" });
  const words = predicted.map((p, i) => `${share(p)} predicted, ${share(observed[i])} observed`);
  picture.setAttribute("aria-label", `Reliability: ${words.join("; ")}`);
  const [from, to] = [Math.exp(first), Math.exp(last)];
  picture.append(draw("line", { x1: x(from), y1: y(from), x2: x(to), y2: y(to), class: "rule" }));
  let written = -Infinity;
  for (const tick of ticks(from, to)) {
    picture.append(draw("text", { x: 42, y: y(tick) + 4, "text-anchor": "end" }, String(tick)));
    if (x(tick) - written < 36) continue; // it would touch the one before
    written = x(tick);
    picture.append(draw("text", { x: written, y: 266, "text-anchor": "middle" }, String(tick)));
  }
  predicted.forEach((p, i) => {
    const line = { x1: x(p), x2: x(p), y1: y(low[i]), y2: y(high[i]), class: "interval" };
    picture.append(draw("line", line));
    if (observed[i]) picture.append(draw("circle", { cx: x(p), cy: y(observed[i]), r: 3.5 }));
  });
  picture.append(draw("text", { x: 168, y: 288, "text-anchor": "middle" }, "predicted"));
  const up = { x: 10, y: 130, "text-anchor": "middle", transform: "rotate(-90 10 130)" };
  picture.append(draw("text", up, "observed"));
  const figure = make("figure");
  const about = "Observed share of clicks by predicted probability, with 95% intervals.";
  figure.append(make("figcaption", reliabilityTitle()), picture, make("p", about, "soft"));
  return figure;
}

function ticks(from, to) {
  const found = [];
  for (let power = -6; power <= 0; power += 1) {
    for (const digit of [1, 2, 5]) found.push(Number(`${digit}e${power}`));
  }
  const within = found.filter((tick) => tick >= from && tick <= to);
  return within.length > 7 ? within.filter((tick) => String(tick).endsWith("1")) : within;
}
