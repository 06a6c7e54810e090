for (const box of document.querySelectorAll(".compare")) {
  const range = box.querySelector("input");
  const move = () => {
    box.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${Math.round(range.value)} % clean`);
  };
  range.addEventListener("input", move);
  move();
}
