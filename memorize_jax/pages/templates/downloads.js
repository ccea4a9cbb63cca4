// What only works with scripts shows that they run.
for (const one of document.querySelectorAll(".scripted")) one.hidden = false;
// A text that the page carries compressed.
const unpack = (name) => {
  const bytes = Uint8Array.from(atob(document.getElementById(`packed-${name}`).textContent.trim()), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
};
const save = (address, name) => {
  const link = document.createElement("a");
  [link.href, link.download] = [address, name];
  document.body.append(link);
  link.click();
  link.remove();
};
const saveText = (text, kind, name) => {
  const address = URL.createObjectURL(new Blob([text], { type: kind }));
  save(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 10000);
};
// An image of the page with twice its points, on white.
const asPng = async (image) => {
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * image.naturalWidth, 2 * image.naturalHeight];
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
};
// A figure that is small on a phone is shown in its own size; once more makes it fit again.
addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-larger]");
  if (!button) return;
  const isLarge = button.closest("figure").querySelector(".paper").classList.toggle("large");
  button.setAttribute("aria-pressed", isLarge);
});
addEventListener("click", async (event) => {
  const asked = event.target.closest?.("[data-table], [data-picture]");
  if (!asked) return;
  const { table, picture, name } = asked.dataset;
  if (table) {
    // Without its packed copy the link leads to the file in the folder.
    if (!document.getElementById(`packed-${table}`)) return;
    event.preventDefault();
    saveText(await unpack(table), "text/csv;charset=utf-8", `${table}.csv`);
    return;
  }
  event.preventDefault();
  const figure = asked.closest("figure");
  const image = figure.querySelector("img");
  const called = name ?? figure.id;
  if (picture === "png") save(await asPng(image), `${called}.png`);
  else saveText(decodeURIComponent(image.src.slice(image.src.indexOf(",") + 1)), "image/svg+xml", `${called}.svg`);
});
