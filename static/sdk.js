/*
 * <script src="…/static/sdk.js" data-tenant="…" data-mentor="…" async></script>
 * Loads the module beside it, begins what the tag's attributes say, and makes up for the calls that came before.
 */
(() => {
  const script = document.currentScript;
  const queue = window.Mentor?.q ?? [];
  const early = (...call) => new Promise((resolve, reject) => queue.push([call, resolve, reject]));
  window.Mentor = Object.assign(early, { q: queue });

  function options({ tenant, mentor, url, container, theme, lang, open, label, position, title }) {
    const given = { tenant, mentor, url, container, theme, lang, label, position, title };
    const kept = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    return open === undefined ? kept : { ...kept, open: open !== 'false' };
  }

  async function begin() {
    const { Mentor, configure } = await import(new URL('sdk/index.js', script.src));
    configure(options(script.dataset));
    window.Mentor = Mentor;
    const run = ([call, resolve, reject]) => Mentor(...call).then(resolve, reject);
    if (script.dataset.mentor) Mentor('init').catch((error) => console.error(error));
    queue.splice(0).forEach(run);
    // Whoever kept the function of the stub is heard as well.
    queue.push = run;
  }

  begin().catch((error) => queue.splice(0).forEach(([, , reject]) => reject(error)));
})();
