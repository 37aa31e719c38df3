/* Runs before the first paint, so that a chosen theme never flashes. Not a module: modules wait for the page. */
try {
  const theme = localStorage.getItem('mentor-context:theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is shut off: the system's theme it is.
}
