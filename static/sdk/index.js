/**
 * A mentor in your page. As a module: `import { Mentor } from './sdk/index.js'`, then `Mentor('init', {…})`.
 * docs/integrators/embed.md of Mentor Context tells all of it; index.d.ts has the types.
 */

import { Bubble } from './bubble.js';
import { Frame } from './frame.js';

/** Where this file was loaded from is where the mentors are, unless `url` says otherwise. */
const HOME = new URL('../..', import.meta.url).href;

let current = null;
let defaults = {};
let waiting = [];

const COMMANDS = {
  init(options = {}) {
    COMMANDS.destroy();
    current = create({ ...defaults, ...options });
    for (const [call, resolve, reject] of waiting.splice(0)) run(call).then(resolve, reject);
    return current;
  },
  start(mentor, metadata, include) {
    const other = mentor && mentor !== current?.mentor ? { mentor } : null;
    if (other || !current) COMMANDS.init({ ...current?.options, ...other });
    current.open();
    return current.start(metadata, include);
  },
  destroy() {
    current?.destroy();
    current = null;
  },
};
const OF_A_MENTOR = [
  'setMetadata', 'setMetadataToken', 'setPageContent', 'beforeSend', 'open', 'close', 'toggle', 'newChat', 'forget', 'focus', 'setTheme', 'on', 'off',
];

/** `Mentor(command, …arguments)` → a promise of what the command gives. What comes before `init` waits for it. */
export function Mentor(command, ...rest) {
  return run([command, ...rest]);
}

/** What every `init` begins with, such as the attributes of the script's tag. */
export function configure(options) {
  defaults = options;
}

/** A mentor of its own, for a page that has more than one. */
export function create(options) {
  const settings = { url: HOME, ...options };
  for (const name of ['tenant', 'mentor']) {
    if (typeof settings[name] !== 'string' || !settings[name]) throw new TypeError(`Mentor needs a ${name}.`);
  }
  const place = typeof settings.container === 'string' ? document.querySelector(settings.container) : settings.container;
  if (settings.container && !place) throw new TypeError(`There is no ${settings.container} to put the mentor into.`);
  return place ? new Frame(settings, place) : new Bubble(settings);
}

async function run([command, ...rest]) {
  if (command in COMMANDS && (command !== 'start' || current || defaults.mentor || defaults.tenant)) {
    return COMMANDS[command](...rest);
  }
  if (!OF_A_MENTOR.includes(command) && command !== 'start') throw new TypeError(`Mentor knows no "${command}".`);
  if (current) return current[command](...rest);
  return new Promise((resolve, reject) => waiting.push([[command, ...rest], resolve, reject]));
}
