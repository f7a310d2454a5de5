// Paper is white: a page in the dark theme turns light while it is printed.
matchMedia("print").addEventListener("change", (print) => {
  const page = document.documentElement;
  if (print.matches) {
    page.dataset.onScreen = page.dataset.theme;
    page.dataset.theme = "light";
  } else if (page.dataset.onScreen) {
    page.dataset.theme = page.dataset.onScreen;
  }
});

// The arrows that open a chapter in the side bar have no name of their own.
addEventListener("DOMContentLoaded", () => {
  for (const arrow of document.querySelectorAll(".has-children > details > summary")) {
    arrow.setAttribute("aria-label", `Pages of ${arrow.closest(".has-children").querySelector("a").textContent.trim()}`);
  }
});
