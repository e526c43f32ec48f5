// Shows the OpenAPI document. Blocks images from other hosts, because Redoc would load the logo of its maker.
const image = HTMLImageElement.prototype;
const source = Object.getOwnPropertyDescriptor(image, "src");
const isHere = (address) => ["null", location.origin].includes(new URL(address, document.baseURI).origin);
Object.defineProperty(image, "src", { ...source, set(address) { if (isHere(address)) source.set.call(this, address); } });
image.setAttribute = function setAttribute(name, value) {
  if (name !== "src" || isHere(value)) Element.prototype.setAttribute.call(this, name, value);
};

const family = "system-ui, sans-serif";
Redoc.init(
  "openapi.json",
  {
    nativeScrollbars: true,
    scrollYOffset: "nav.studio",
    theme: {
      colors: { primary: { main: "#0f766e" } },
      sidebar: { backgroundColor: "#f8fafc" },
      typography: { fontFamily: family, headings: { fontFamily: family }, code: { fontFamily: "ui-monospace, monospace" } },
    },
  },
  document.getElementById("redoc"),
);
