// The moving picture: a chart in Vega-Lite, and the controls of the page that set its parameters.
const showMoving = async () => {
  const place = document.getElementById("chart");
  if (!place) return;
  const [content, scripts] = await Promise.all([unpack("moving-picture"), unpack("vega")]);
  const { layouts, datasets, epochs, errors } = JSON.parse(content);
  const library = document.createElement("script");
  library.textContent = scripts;
  document.head.append(library);
  const section = document.getElementById("moving");
  const slider = document.getElementById("step"), play = document.getElementById("play");
  const lists = [...section.querySelectorAll("select")];
  const chosen = { step: Number(slider.value), run: Object.keys(epochs)[0] };
  let view = null, drawn = null;

  // Colors of the page, so that the chart is dark where the page is.
  const config = () => {
    const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const [ink, soft, line] = ["--ink", "--soft", "--line"].map(color);
    const text = { labelColor: soft, titleColor: ink, labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal" };
    return {
      background: null,
      font: "system-ui, sans-serif",
      view: { stroke: line },
      axis: { ...text, gridColor: line, domainColor: soft, tickColor: soft },
      legend: { ...text, symbolStrokeWidth: 2 },
      header: { labelColor: ink, titleColor: ink },
      title: { color: ink, fontSize: 13 },
      // The picture is one image to a screen reader; what it shows is said in words.
      aria: false,
      mark: { aria: false },
    };
  };
  const marked = () => {
    for (const cell of document.querySelectorAll("td.text")) {
      cell.parentElement.classList.toggle("marked", !!chosen.layer && cell.dataset.value === chosen.layer);
    }
  };
  // Another run has epochs of its own: the slider goes to the nearest.
  const change = (run) => {
    const before = epochs[chosen.run][chosen.step], own = epochs[run];
    slider.max = own.length - 1;
    set("run", run);
    const far = own.map((epoch) => Math.abs(Math.log1p(epoch) - Math.log1p(before)));
    return set("step", far.indexOf(Math.min(...far)));
  };
  const choose = (name, value) => (name === "run" ? change(value) : set(name, value));
  const set = (name, value) => {
    chosen[name] = value;
    if (name === "step") {
      slider.value = value;
      const epoch = epochs[chosen.run][value];
      slider.setAttribute("aria-valuetext", `epoch ${epoch}`);
      section.querySelector("output").textContent = epoch;
    } else {
      const list = lists.find((one) => one.dataset.param === name);
      if (list) list.value = value;
    }
    if (name === "layer") marked();
    if (name === "run") section.querySelector("#errors").textContent = errors[value];
    return view?.signal(name, value).runAsync();
  };
  const draw = async () => {
    const room = place.parentElement.clientWidth;
    const layout = layouts.find((one) => one.width <= room) ?? layouts.at(-1);
    const looks = `${layout.width} ${getComputedStyle(document.body).backgroundColor}`;
    if (looks === drawn) return;
    drawn = looks;
    view?.finalize();
    const spec = { ...layout.spec, datasets };
    spec.params = spec.params.map((param) => (param.name in chosen ? { ...param, value: chosen[param.name] } : param));
    // Errors alone are said: that a run has no such examples is none.
    const quiet = { logLevel: 1, actions: false };
    const options = { ...quiet, ast: true, renderer: "svg", config: config(), tooltip: { theme: "page" } };
    ({ view } = await vegaEmbed(place, spec, options));
    const svg = place.querySelector("svg");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", section.querySelector(".finding").textContent);
    view.addEventListener("click", (event, item) => {
      const { layer, nearest, run } = item?.datum ?? {};
      if (run !== undefined && run !== chosen.run) change(run);
      if (nearest !== undefined) set("step", nearest);
      if (layer !== undefined) set("layer", layer === chosen.layer ? "" : layer);
    });
  };

  place.hidden = section.querySelector(".controls").hidden = false;
  section.classList.add("live");
  await draw();
  slider.addEventListener("input", () => set("step", Number(slider.value)));
  for (const list of lists) {
    chosen[list.dataset.param] = list.value;
    list.addEventListener("change", () => choose(list.dataset.param, list.value));
  }
  set("step", chosen.step);
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play the epochs");
  };
  play.addEventListener("click", () => {
    if (timer) return stop();
    const last = () => epochs[chosen.run].length - 1;
    if (chosen.step === last()) set("step", 0);
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Pause");
    timer = setInterval(() => (chosen.step < last() ? set("step", chosen.step + 1) : stop()), 450);
  });
  new ResizeObserver(draw).observe(place.parentElement);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  for (const button of section.querySelectorAll("[data-chart]")) {
    button.addEventListener("click", async () => {
      const kind = button.dataset.chart;
      if (kind === "svg") saveText(await view.toSVG(), "image/svg+xml", "where_and_when.svg");
      else save(await view.toImageURL("png", 2), "where_and_when.png");
    });
  }
};
showMoving();
