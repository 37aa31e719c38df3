/** The button that goes round: the system's theme, light, dark. */

const KEY = 'mentor-context:theme';
const WORDS = { auto: 'Theme of the system', light: 'Light theme', dark: 'Dark theme' };
const ORDER = Object.keys(WORDS);

export function themeButton(button) {
  const label = () => {
    const theme = document.documentElement.dataset.theme ?? 'auto';
    button.querySelector('span').textContent = WORDS[theme];
    return theme;
  };
  button.addEventListener('click', () => {
    const theme = ORDER[(ORDER.indexOf(label()) + 1) % ORDER.length];
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    keep(theme);
    label();
  });
  label();
}

function keep(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It lasts as long as the page.
  }
}
