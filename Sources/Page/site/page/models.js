// The models of the server, and what they cost.
import { setPrices } from './answer.js';
import { showProblem } from './dialogs.js';
import { element, find } from './dom.js';
import { failureText } from './failures.js';
import { json } from './server.js';

let models = [];
let timer = null;
let onBack = null;
const pause = 5000;

export const hasModels = () => models.length > 0;

/// The model itself when the server still has it, else its first.
export const chosenModel = (name) => (models.includes(name) ? name : (models[0] ?? name));

/// - Parameter action: called when the server is found that was away.
export function onServerBack(action) {
  onBack = action;
}

/// Asks the server for its models, and says what is wrong where it does not answer.
/// - Returns: whether it did.
export async function loadModels() {
  clearTimeout(timer);
  try {
    const list = (await json('GET', '/v1/models')).data;
    // Other names of the same models are for programs.
    models = list.filter((model) => !model.root).map((model) => model.id);
    setPrices((await json('GET', '/api/prices')).prices);
  } catch (failure) {
    showProblem(failureText(failure), loadModelsAgain);
    // A server that is started anew is found without a hand's turn.
    if (failure.kind === 'network' || failure.status >= 500) timer = setTimeout(loadModelsAgain, pause);
    return false;
  }
  find('#model').replaceChildren(...models.map((name) => element('option', { value: name }, name)));
  return true;
}

export async function loadModelsAgain() {
  if (!(await loadModels())) return;
  showProblem('');
  onBack?.();
}
