// What every page has: the theme's switch, and ages that go on.
import { keepAges } from "./ages.js";

const root = document.documentElement;
const button = document.getElementById("theme");
if (button) {
  const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem("probe-theme", root.dataset.theme);
    } catch {
      // not kept beyond this page
    }
  });
}
keepAges();
