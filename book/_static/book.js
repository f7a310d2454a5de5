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
