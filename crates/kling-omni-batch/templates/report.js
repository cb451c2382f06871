(() => {
  "use strict";
  const cards = [...document.querySelectorAll("#gallery-items > li")];

  // A video loads when its card comes near, and unloads when it is far again, unless it was played.
  const load = ({ target, isIntersecting }) => {
    const video = target.querySelector("video:not([poster])");
    if (!video) return;
    if (isIntersecting) {
      video.preload = "metadata";
    } else if (video.paused && video.currentTime === 0 && video.readyState > 0) {
      video.preload = "none";
      video.load();
    }
  };
  const near = new IntersectionObserver((entries) => entries.forEach(load), { rootMargin: "50%" });
  cards.forEach((card) => near.observe(card));

  const filters = document.getElementById("filters");
  if (!filters) return;
  const search = document.getElementById("search");
  const states = [...filters.querySelectorAll("[name=state]")];
  const texts = cards.map((card) => card.textContent.toLowerCase());
  const number = new Intl.NumberFormat("en");

  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = new Set(states.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    cards.forEach((card, index) => {
      const isShown =
        (chosen.size === 0 || chosen.has(card.dataset.state)) && words.every((word) => texts[index].includes(word));
      card.hidden = !isShown;
      shown += isShown;
    });
    document.getElementById("shown").value =
      shown === cards.length ? `${number.format(shown)} items` : `${number.format(shown)} of ${number.format(cards.length)} items`;
    document.getElementById("none").hidden = shown > 0;
  };

  filters.addEventListener("input", apply);
  filters.addEventListener("submit", (event) => event.preventDefault());
  const clear = () => {
    filters.reset();
    apply();
  };
  document.getElementById("clear").addEventListener("click", clear);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#item-"]');
    const card = link && document.getElementById(link.hash.slice(1));
    if (card && card.hidden) clear();
  });
  filters.hidden = false;
  apply();
})();
