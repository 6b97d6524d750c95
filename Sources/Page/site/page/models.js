// The models of the server, and what they cost.
import { showProblem } from './dialogs.js';
import { element, find } from './dom.js';
import { failureText } from './failures.js';
import { json } from './server.js';

/// `{ id, canThink }`.
let models = [];
let prices = {};
let timer = null;
let onBack = null;
const pause = 5000;

export const hasModels = () => models.length > 0;

const modelOf = (name) => models.find((model) => model.id === name);

/// The model itself when the server still has it, else its first.
export const chosenModel = (name) => (modelOf(name) ? name : (models[0]?.id ?? name));

/// Whether a model can think before it answers; undefined while the server has not told.
export const canThink = (name) => modelOf(name)?.canThink;

/// Dollars per million tokens: `{ cache_hit, cache_miss, output }`; undefined for a model that costs nothing.
export const priceOf = (name) => prices[name];

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
    models = list.filter((model) => !model.root)
      .map(({ id, capabilities }) => ({ id, canThink: capabilities?.includes('thinking') ?? false }));
    prices = (await json('GET', '/api/prices')).prices;
  } catch (failure) {
    showProblem(failureText(failure), loadModelsAgain);
    // A server that is started anew is found without a hand's turn.
    if (failure.kind === 'network' || failure.status >= 500) timer = setTimeout(loadModelsAgain, pause);
    return false;
  }
  find('#model').replaceChildren(...models.map(({ id }) => element('option', { value: id }, id)));
  return true;
}

export async function loadModelsAgain() {
  if (!(await loadModels())) return;
  showProblem('');
  onBack?.();
}
