// The film on the canvas: grey levels of 16 bits through level and width, the map in red over it, zoom by the size of the canvas.
"use strict";

const film = document.getElementById("film");
const control = (name) => document.getElementById(name);
const value = (name) => (control(name) ? Number(control(name).value) : 0);

// Resolves to the image at an address, drawn to so many columns and rows, as its grey levels (0 to 255).
async function greyLevels(address, columns, rows) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = new OffscreenCanvas(columns, rows);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, columns, rows);
  return context.getImageData(0, 0, columns, rows).data.filter((_, place) => place % 4 === 0);
}

async function load() {
  const answer = await fetch(film.dataset.film);
  if (!answer.ok) throw new Error("The film is gone, or cannot be read.");
  const rows = Number(answer.headers.get("X-Rows")), columns = Number(answer.headers.get("X-Columns"));
  const pixels = new Uint16Array(await answer.arrayBuffer());
  const residual = film.dataset.residual ? await greyLevels(film.dataset.residual, columns, rows) : null;
  return { rows, columns, pixels, residual };
}

function draw({ rows, columns, pixels, residual }, shown) {
  // Level and width in percent of the whole range of grey levels.
  const width = Math.max(value("width") / 100, 1e-3), low = value("level") / 100 - width / 2;
  const strength = value("map") / 100;
  for (let i = 0; i < pixels.length; i++) {
    const grey = 255 * Math.min(Math.max((pixels[i] / 65535 - low) / width, 0), 1);
    const red = residual ? strength * residual[i] / 255 : 0;
    shown.data[4 * i] = grey + (255 - grey) * red;
    shown.data[4 * i + 1] = grey + (32 - grey) * red;
    shown.data[4 * i + 2] = grey + (32 - grey) * red;
    shown.data[4 * i + 3] = 255;
  }
  film.width = columns;
  film.height = rows;
  film.getContext("2d").putImageData(shown, 0, 0);
  const room = control("window");
  const scale = Math.min(room.clientWidth / columns, room.clientHeight / rows) * value("zoom");
  film.style.width = `${columns * scale}px`;
  film.style.height = `${rows * scale}px`;
}

function main(loaded) {
  const shown = new ImageData(loaded.columns, loaded.rows);
  let waiting = false;
  const again = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw(loaded, shown);
    });
  };
  const sliders = ["level", "width", "zoom", "map"].map(control).filter(Boolean);
  const reset = () => {
    for (const slider of sliders) slider.value = slider.defaultValue;
    again();
  };
  for (const slider of sliders) slider.addEventListener("input", again);
  control("reset").addEventListener("click", reset);
  window.addEventListener("resize", again);

  film.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    control("width").value = value("width") + event.movementX / 4;
    control("level").value = value("level") + event.movementY / 4;
    again();
  });
  film.addEventListener("wheel", (event) => {
    event.preventDefault();
    control("zoom").value = value("zoom") - Math.sign(event.deltaY) * 0.25;
    again();
  }, { passive: false });

  let before = value("map");
  const turn = () => {
    if (!control("map")) return;
    const now = value("map");
    if (now) before = now;
    control("map").value = now ? 0 : before;
    again();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("textarea, input:not([type=range])")) return;
    if (event.key === "o") turn();
    if (event.key === "r") reset();
  });
  draw(loaded, shown);
  film.dataset.drawn = "yes";
  control("said").textContent = `${loaded.columns} x ${loaded.rows} pixels`;
}

// Keys that go from study to study work without a film, too.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, input:not([type=range])")) return;
  const where = { n: "next", p: "previous" }[event.key];
  if (where && control(where)) control(where).click();
});

if (film) load().then(main, (error) => { control("said").textContent = error.message; });
