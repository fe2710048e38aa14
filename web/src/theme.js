/* Light, dark, or as the system says; printing is always light. */

const KEY = 'bedrock-metrics-theme';
const CHOICES = ['auto', 'light', 'dark'];
const system = matchMedia('(prefers-color-scheme: dark)');

/* Storage may be forbidden (some browsers do so for files): then the choice lasts for the visit. */
function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function store(choice) {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    /* nothing to do */
  }
}

export function startTheme(button, onChange) {
  let choice = CHOICES.includes(stored()) ? stored() : 'auto';
  let printing = false;
  const apply = () => {
    const dark = !printing && (choice === 'dark' || (choice === 'auto' && system.matches));
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    button.textContent = `Theme: ${choice}`;
    onChange(printing);
  };
  button.addEventListener('click', () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
    store(choice);
    apply();
  });
  const print = (on) => {
    if (printing === on) return;
    printing = on;
    document.documentElement.classList.toggle('printing', on);
    apply();
  };
  system.addEventListener('change', apply);
  addEventListener('beforeprint', () => print(true));
  addEventListener('afterprint', () => print(false));
  matchMedia('print').addEventListener('change', (event) => print(event.matches));
  apply();
}
