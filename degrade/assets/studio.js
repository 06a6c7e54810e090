// The viewer of the studio, and its buttons. No library, no request.
(() => {
  const clamp = (v, low, high) => Math.min(Math.max(v, low), high);

  class Compare extends HTMLElement {
    static observedAttributes = ["before", "after", "width", "height", "file"];

    connectedCallback() {
      if (this.built) return;
      this.built = true;
      const label = this.getAttribute("label") || "Picture before and after";
      this.innerHTML = `
        <div class="dg-view" role="group" tabindex="0" aria-label="${label.replace(/"/g, "&quot;")}">
          <img class="dg-after" alt="Degraded picture" draggable="false">
          <div class="dg-clip"><img class="dg-before" alt="Clean picture" draggable="false"></div>
          <span class="dg-tag dg-tag-l">clean</span><span class="dg-tag dg-tag-r">degraded</span>
          <div class="dg-line"><span></span></div>
        </div>
        <div class="dg-bar">
          <label class="dg-at">Divider <input type="range" min="0" max="100" step="0.5" value="50"></label>
          <span class="dg-zoom">
            <button type="button" data-zoom="out" aria-label="Zoom out">−</button>
            <output aria-live="polite" aria-label="Zoom">fit</output>
            <button type="button" data-zoom="in" aria-label="Zoom in">+</button>
            <button type="button" data-zoom="one">1:1</button>
            <button type="button" data-zoom="fit">Fit</button>
            <button type="button" data-zoom="save">Save</button>
          </span>
        </div>`;
      this.view = this.querySelector(".dg-view");
      this.range = this.querySelector("input[type=range]");
      this.scale = 1; this.x = 0; this.y = 0;
      this.range.addEventListener("input", () => this.divide(+this.range.value));
      this.querySelectorAll("[data-zoom]").forEach((b) =>
        b.addEventListener("click", () => this.zoomed(b.dataset.zoom)));
      this.view.addEventListener("pointerdown", (e) => this.grab(e));
      this.view.addEventListener("wheel", (e) => {
        if (!e.ctrlKey && !e.metaKey) return;
        e.preventDefault();
        this.zoom(this.scale * (e.deltaY < 0 ? 1.2 : 1 / 1.2), e);
      }, { passive: false });
      this.view.addEventListener("dblclick", (e) =>
        this.scale > 1 ? this.fit() : this.zoom(this.one(), e));
      this.view.addEventListener("keydown", (e) => this.key(e));
      new ResizeObserver(() => this.place()).observe(this.view);
      for (const name of Compare.observedAttributes) this.attributeChangedCallback(name);
      this.divide(50);
    }

    attributeChangedCallback(name) {
      if (!this.built) return;
      const value = this.getAttribute(name);
      if (value === null) return;
      if (name === "before" || name === "after") {
        const image = this.querySelector(`.dg-${name}`);
        image.src = value;
      } else if (name !== "file") {
        const [w, h] = [this.getAttribute("width"), this.getAttribute("height")];
        if (w && h) this.view.style.setProperty("--ratio", w / h);
        this.fit();
      }
    }

    divide(at) {
      this.at = clamp(at, 0, 100);
      this.range.value = this.at;
      this.range.setAttribute("aria-valuetext", `${Math.round(this.at)} % clean`);
      this.view.style.setProperty("--at", `${this.at}%`);
    }

    // How much larger than fitting the view a picture is at one pixel of it for one of the screen.
    one() {
      const natural = +this.getAttribute("width") || 1;
      return Math.max(1, natural / (this.view.clientWidth || 1));
    }

    zoomed(how) {
      if (how === "save") return this.save();
      if (how === "fit") return this.fit();
      if (how === "one") return this.zoom(this.one() > 1.01 ? this.one() : 2);
      this.zoom(this.scale * (how === "in" ? 1.5 : 1 / 1.5));
    }

    fit() { this.scale = 1; this.x = this.y = 0; this.place(); }

    zoom(scale, event) {
      const box = this.view.getBoundingClientRect();
      const px = event ? event.clientX - box.left : box.width / 2;
      const py = event ? event.clientY - box.top : box.height / 2;
      const next = clamp(scale, 1, 32);
      this.x = px - (px - this.x) * (next / this.scale);
      this.y = py - (py - this.y) * (next / this.scale);
      this.scale = next;
      this.place();
    }

    place() {
      const [w, h] = [this.view.clientWidth, this.view.clientHeight];
      this.x = clamp(this.x, w - w * this.scale, 0);
      this.y = clamp(this.y, h - h * this.scale, 0);
      this.view.style.setProperty("--move", `translate(${this.x}px, ${this.y}px) scale(${this.scale})`);
      const real = (w * this.scale) / (+this.getAttribute("width") || w || 1);
      this.view.classList.toggle("dg-pixels", real >= 2);
      const shown = this.querySelector("output");
      if (shown) shown.textContent = `${Math.round(real * 100)} %`;
    }

    grab(e) {
      if (e.button > 0) return;
      const box = this.view.getBoundingClientRect();
      const here = ((e.clientX - box.left) / box.width) * 100;
      const divider = this.scale === 1 || Math.abs(here - this.at) * box.width < 2400;
      const start = { x: e.clientX - this.x, y: e.clientY - this.y };
      const move = (m) => {
        if (divider) this.divide(((m.clientX - box.left) / box.width) * 100);
        else { this.x = m.clientX - start.x; this.y = m.clientY - start.y; this.place(); }
      };
      const stop = () => {
        this.view.removeEventListener("pointermove", move);
        this.view.removeEventListener("pointerup", stop);
        this.view.removeEventListener("pointercancel", stop);
      };
      this.view.setPointerCapture(e.pointerId);
      this.view.addEventListener("pointermove", move);
      this.view.addEventListener("pointerup", stop);
      this.view.addEventListener("pointercancel", stop);
      if (divider && e.pointerType === "mouse") move(e);
    }

    key(e) {
      const step = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
      if (e.key === "+" || e.key === "=") this.zoomed("in");
      else if (e.key === "-") this.zoomed("out");
      else if (e.key === "0") this.fit();
      else if (step && this.scale > 1) { this.x += 40 * step[0]; this.y += 40 * step[1]; this.place(); }
      else if (step && step[0]) this.divide(this.at - 2 * step[0]);
      else return;
      e.preventDefault();
    }

    save() {
      const link = document.createElement("a");
      link.href = this.querySelector(".dg-after").src;
      link.download = this.getAttribute("file") || "degraded.png";
      link.click();
    }
  }
  if (!customElements.get("degrade-compare")) customElements.define("degrade-compare", Compare);

  // The page may put a new feed in place of the old one, or change the attributes of the old one.
  class Feed extends HTMLElement {
    static observedAttributes = Compare.observedAttributes;

    connectedCallback() {
      for (const name of Feed.observedAttributes) this.attributeChangedCallback(name);
    }

    attributeChangedCallback(name) {
      const target = document.getElementById(this.getAttribute("for"));
      const value = this.getAttribute(name);
      if (target && value !== null && target.getAttribute(name) !== value)
        target.setAttribute(name, value);
    }
  }
  if (!customElements.get("degrade-feed")) customElements.define("degrade-feed", Feed);

  // Typing into a list replaces what is chosen, as it does in the system's own.
  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.(".dg-search input")) event.target.select();
  });

  const copied = async (value) => {
    try {
      await navigator.clipboard.writeText(value);
    } catch {  // no permission, or a page that is not on loopback and not encrypted
      const area = document.createElement("textarea");
      area.value = value;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy], [data-save]");
    if (!button) return;
    const value = button.closest(".dg-text").querySelector("pre").textContent;
    if (button.hasAttribute("data-save")) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([value], { type: "text/plain" }));
      link.download = button.dataset.save;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      return;
    }
    await copied(value);
    const label = button.textContent;
    if (label === "Copied") return;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1200);
  });
})();
