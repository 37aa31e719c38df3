/** What every page of analytics has: the theme, copying, and the way back to the list as it was. */

import { themeButton } from '../chat/theme-button.js';

const theme = document.getElementById('theme');
theme.hidden = false;
themeButton(theme);

for (const button of document.querySelectorAll('[data-copies]')) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
}

const back = document.getElementById('back');
if (back && document.referrer) {
  const from = new URL(document.referrer);
  if (from.origin === location.origin && from.pathname === back.pathname) back.href = from.href;
}
