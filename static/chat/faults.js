/** What went wrong, in a learner's words: the server's own speak to those who build pages. */

import { gettext, interpolate } from './words.js';

const WORDS = {
  turn_in_progress: () => gettext('The mentor is still answering, perhaps in another tab. Wait until it has finished.'),
  rate_limited: () => gettext('That was a lot in a short time. Please wait a moment.'),
  too_many_sockets: () => gettext('This mentor is busy right now. Please try again in a moment.'),
  prompt_too_large: () => gettext('Your message is too long. Please shorten it.'),
  metadata_too_large: () => gettext('This page told the mentor more than it takes. Your message was not sent.'),
  schema_violation: () => gettext('This page told the mentor something it does not take. Your message was not sent.'),
  token_expired: () => gettext('This page has been open for too long. Please reload it.'),
  unavailable: () => gettext('Messages cannot be taken right now. Yours is kept here: please try again.'),
  not_found: () => gettext('This conversation cannot be continued from here.'),
  authentication_failed: () => gettext('This conversation cannot be continued from here.'),
  authentication_required: () => gettext('This mentor asks its users to sign in.'),
  origin_not_allowed: () => gettext('This page may not talk to the mentor.'),
  interrupted: () => gettext('The connection to the mentor was cut.'),
};
const OF_A_TOKEN = () => gettext('This page could not show the mentor who you are. Please reload it.');
const OF_A_MODEL = () => gettext('The mentor cannot be reached right now. Please try again in a moment.');

/** The sentence for an error {code, text, wait}; its own text where there is no better one. */
export function sentence(error) {
  if (!error) return gettext('The server went away meanwhile.');
  const kind = error.code?.split('_')[0];
  const known = WORDS[error.code] ?? { model: OF_A_MODEL, token: OF_A_TOKEN }[kind];
  const words = known ? known() : error.text;
  if (!error.wait) return words;
  return `${words} ${interpolate(gettext('You can try again in %(seconds)s s.'), { seconds: error.wait })}`;
}
