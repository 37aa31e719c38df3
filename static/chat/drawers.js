/** On narrow windows the rail and the panel are drawers: one at a time, focus inside, Escape closes. */

export class Drawers {
  #opener = null;

  constructor(app) {
    this.app = app;
    for (const button of app.querySelectorAll('[data-opens]')) {
      button.addEventListener('click', () => this.open(button.dataset.opens));
    }
    for (const button of app.querySelectorAll('[data-closes]')) button.addEventListener('click', () => this.close());
    addEventListener('resize', () => this.#name && !this.#isDrawer(this.#name) && this.close());
  }

  get #name() {
    return this.app.dataset.drawer;
  }

  /** Opens a drawer and moves the focus to `target` in it; where it always stands, only the focus moves. */
  open(name, target) {
    const drawer = document.getElementById(name);
    if (this.#isDrawer(name)) {
      this.#opener = document.activeElement;
      this.app.dataset.drawer = name;
      this.#others(drawer, true);
    }
    const first = target?.querySelector('input:checked') ?? drawer.querySelector('[data-closes], button, a');
    first?.focus({ focusVisible: true });
  }

  /** → whether there was one to close. */
  close() {
    if (!this.#name) return false;
    this.#others(document.getElementById(this.#name), false);
    delete this.app.dataset.drawer;
    this.#opener?.focus();
    return true;
  }

  #isDrawer(name) {
    return getComputedStyle(document.getElementById(name)).position === 'fixed';
  }

  #others(drawer, inert) {
    for (const region of this.app.children) if (region !== drawer && !region.matches('.veil')) region.inert = inert;
  }
}
