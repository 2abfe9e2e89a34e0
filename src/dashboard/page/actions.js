// What can be done to a pool: always after a dialog that says what it is going to do.
import { el } from './text.js';

const ACTIONS = {
  recycle: {
    button: 'Recycle',
    text: 'Every resource made so far is replaced by a new one: idle ones within this time, leased ones when they come back.',
    fields: [{ name: 'spread', label: 'Spread over seconds', value: () => 10, factor: 1000 }],
  },
  resize: {
    button: 'Resize',
    text: 'Changes how many resources there may be, until the application is started anew. Those beyond a lower max go when they come back.',
    fields: [
      { name: 'min', label: 'min', value: now => now.min, factor: 1 },
      { name: 'max', label: 'max', value: now => now.max, factor: 1 },
    ],
  },
  suspend: {
    button: 'Suspend',
    text: 'Nothing is lent any more: whoever wants to borrow waits until the pool is resumed.',
    fields: [],
  },
  resume: {
    button: 'Resume',
    text: 'The pool lends again, to those who have waited longest first.',
    fields: [],
  },
};

const dialog = /** @type {HTMLDialogElement} */ (document.getElementById('dialog'));
const part = name => document.getElementById(`dialog-${name}`);
let submit = () => undefined;

part('cancel').addEventListener('click', () => dialog.close());
dialog.querySelector('form').addEventListener('submit', event => {
  event.preventDefault();
  submit();
});

/**
 * @param {{ name: string, keyed: boolean }} pool
 * @param {() => any} now what is known of it
 * @param {(wish: object) => Promise<string | undefined>} send gives back what is wrong
 */
export function buttonsOf({ name, keyed }, now, send) {
  const offered = Object.keys(ACTIONS).filter(action => !(keyed && action === 'resize'));
  return el(
    'div',
    { class: 'actions', role: 'group', 'aria-label': `Actions on ${name}` },
    ...offered.map(action => {
      const button = el('button', { type: 'button', 'data-action': action }, ACTIONS[action].button);
      button.addEventListener('click', () => ask(name, action, now(), send));
      return button;
    }),
  );
}

function ask(pool, action, now, send) {
  const { button, text, fields } = ACTIONS[action];
  part('title').textContent = `${button} ${pool}?`;
  part('text').textContent = text;
  part('confirm').textContent = button;
  part('error').textContent = '';
  const inputs = fields.map(({ name, label, value, factor }) => {
    const input = el('input', { type: 'number', min: '0', step: '1', required: '', name });
    input.value = String(value(now));
    return { name, factor, input, label: el('label', {}, `${label} `, input) };
  });
  part('fields').replaceChildren(...inputs.map(({ label }) => label));
  submit = async () => {
    part('confirm').disabled = true;
    const numbers = inputs.map(({ name, input, factor }) => [name, Number(input.value) * factor]);
    const wrong = await send({ pool, action, ...Object.fromEntries(numbers) });
    part('confirm').disabled = false;
    if (wrong === undefined) dialog.close();
    else part('error').textContent = wrong;
  };
  dialog.showModal();
}
