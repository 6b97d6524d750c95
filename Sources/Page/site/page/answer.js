// Has the server answer a chat, and keeps what comes: every second in this browser, every few seconds on the server.
import { addMessage, keepWhole, saveMessage } from './chats.js';
import { canThink, priceOf } from './models.js';
import { pathTo } from './tree.js';
import { events, Failure } from './server.js';

/// Answers in progress, by the id of their message.
const running = new Map();

/// The answer in progress of a message: `{ stop, isThinking, thoughtTokens, thinkingSince }`; undefined for one that has ended.
export const runOf = (message) => running.get(message.id);

export const isAnswering = (chat) => chat.messages.some((message) => running.has(message.id));

export function stopAnswers(chat) {
  for (const message of chat.messages) running.get(message.id)?.stop();
}

/// Leaves the answers of chats, as when another key is used: what has come of them is kept, and nothing after it.
export function leaveAnswers(chats) {
  keepRunning(chats);
  for (const chat of chats) for (const message of chat.messages) running.get(message.id)?.leave();
}

/// A message's text as the model gets it: the files first, each with its name.
export function textForModel(message) {
  const files = (message.details.files ?? []).map((file) => {
    // A fence that nothing in the file closes.
    const longest = Math.max(2, ...(file.text.match(/`{3,}/g) ?? []).map((ticks) => ticks.length));
    const fence = '`'.repeat(longest + 1);
    return `${file.name}:\n${fence}\n${file.text}${file.text.endsWith('\n') ? '' : '\n'}${fence}\n\n`;
  });
  return files.join('') + message.content;
}

/// The body of a request that answers the messages up to `parent`.
/// - Parameter begun: an answer that is to be continued.
export function requestBody(chat, parent, begun = null) {
  const settings = chat.settings;
  const messages = pathTo(chat, parent)
    .filter((message) => message.role !== 'assistant' || message.content)
    .map((message) => ({ role: message.role, content: message.role === 'user' ? textForModel(message) : message.content }));
  if (settings.system?.trim()) messages.unshift({ role: 'system', content: settings.system });
  if (begun) {
    messages.push({ role: 'assistant', content: begun.content, prefix: true, ...(begun.reasoning && { reasoning_content: begun.reasoning }) });
  }
  const body = { model: settings.model, messages, stream: true, stream_options: { include_usage: true } };
  if (typeof settings.temperature === 'number') body.temperature = settings.temperature;
  if (settings.maxTokens) body.max_tokens = settings.maxTokens;
  // A model that cannot think may write a thought all the same, which the server bounds; but it is given no more room for one.
  const thinking = settings.thinking === 'max' && canThink(settings.model) === false ? undefined : settings.thinking;
  if (thinking === 'off') body.thinking = { type: 'disabled' };
  else if (thinking === 'max') body.thinking = { type: 'enabled' };
  else if (thinking) body.thinking = { type: 'enabled', budget_tokens: Number(thinking) };
  if (settings.json) body.response_format = { type: 'json_object' };
  return body;
}

/// Answers the message `parent` with a new message, or goes on with `begun`.
/// - Parameter onChange: called with the message whenever there is more of it, and at its end.
export async function answer(chat, parent, onChange, begun = null) {
  const message = begun ?? addMessage(chat, { parent, role: 'assistant', content: '' });
  const body = requestBody(chat, message.parent, begun && (begun.content || begun.reasoning) ? begun : null);
  // Until it has ended, an answer counts as broken off: then it is right when the page is closed.
  const { error, filter, ...rest } = message.details;
  message.details = { ...rest, model: chat.settings.model, json: chat.settings.json, finish: 'interrupted' };
  const controller = new AbortController();
  const run = { stop: () => controller.abort(), isThinking: false, thoughtTokens: 0, thinkingSince: null, isWaiting: true, tokens: null };
  running.set(message.id, run);
  onChange(message);
  const keeper = keepRegularly(chat, message);
  let isLeft = false;
  run.leave = () => {
    isLeft = true;
    clearInterval(keeper);
    controller.abort();
  };
  const clock = new Clock(message.details);
  try {
    for await (const event of events('/v1/chat/completions', body, controller.signal)) {
      take(event, message, run, clock);
      onChange(message);
    }
  } catch (error) {
    note(error, message);
  }
  clock.end(message, run);
  clearInterval(keeper);
  running.delete(message.id);
  if (isLeft) return;
  if (message.details.error?.kind === 'network') keepWhole(chat);
  saveMessage(chat, message);
  onChange(message);
}

function take(event, message, run, clock) {
  const choice = event.choices?.[0];
  const delta = choice?.delta ?? {};
  if (delta.reasoning_content) {
    clock.token();
    run.isThinking = true;
    run.isWaiting = false;
    run.thinkingSince ??= performance.now();
    run.thoughtTokens += 1;
    message.reasoning += delta.reasoning_content;
  }
  if (delta.content) {
    clock.token();
    run.isWaiting = false;
    clock.endThought(message, run);
    message.content += delta.content;
  }
  if (choice?.finish_reason) message.details.finish = choice.finish_reason;
  // The rule of the server's policy that ended the answer, and what it says.
  if (choice?.content_filter) message.details.filter = choice.content_filter;
  if (event.usage) {
    run.tokens = event.usage.completion_tokens;
    message.details.usage = added(message.details.usage, event.usage);
    const cost = costOf(event.usage, priceOf(message.details.model));
    if (cost !== null) message.details.cost = (message.details.cost ?? 0) + cost;
  }
}

/// Dollars; null for what costs nothing.
function costOf(usage, price) {
  if (!price) return null;
  const cached = usage.prompt_cache_hit_tokens ?? 0;
  return (cached * price.cache_hit + (usage.prompt_tokens - cached) * price.cache_miss + usage.completion_tokens * price.output) / 1e6;
}

/// Tokens of an answer that was continued count together; the prompt is the last one's.
function added(earlier, usage) {
  const reasoning = usage.completion_tokens_details?.reasoning_tokens ?? 0;
  return {
    prompt: usage.prompt_tokens, cached: usage.prompt_cache_hit_tokens ?? usage.prompt_tokens_details?.cached_tokens ?? 0,
    completion: usage.completion_tokens + (earlier?.completion ?? 0), reasoning: reasoning + (earlier?.reasoning ?? 0),
  };
}

function note(error, message) {
  // When the page goes, so do its connections.
  if (isLeaving) return;
  if (error.name === 'AbortError') message.details.finish = 'stopped';
  else if (error instanceof Failure) {
    message.details.finish = 'interrupted';
    message.details.error = { kind: error.kind, status: error.status, code: error.code, text: error.message, retryAfter: error.retryAfter };
  } else {
    message.details.error = { kind: 'page', text: String(error) };
    console.error(error);
  }
}

/// Seconds of the thought and of the whole, without the wait before the first token.
class Clock {
  constructor(details) {
    this.details = details;
    this.first = null;
    this.last = null;
    this.count = 0;
    this.thoughtBefore = details.thoughtSeconds ?? 0;
    this.start = performance.now();
  }

  token() {
    this.last = performance.now();
    this.first ??= this.last;
    this.count += 1;
  }

  endThought(message, run) {
    if (!run.isThinking) return;
    run.isThinking = false;
    this.details = message.details;
    message.details.thoughtSeconds = this.thoughtBefore + (performance.now() - run.thinkingSince) / 1000;
  }

  end(message, run) {
    this.endThought(message, run);
    const details = message.details;
    details.seconds = (details.seconds ?? 0) + (performance.now() - this.start) / 1000;
    // The first token's time is the prompt's.
    if (this.count > 1) {
      details.decodeSeconds = (details.decodeSeconds ?? 0) + (this.last - this.first) / 1000;
      details.decodeTokens = (details.decodeTokens ?? 0) + (run.tokens ?? this.count) - 1;
    }
    if (!details.usage) details.usage = { completion: this.count, reasoning: run.thoughtTokens, isCounted: true };
  }
}

function keepRegularly(chat, message) {
  let ticks = 0;
  return setInterval(() => {
    ticks += 1;
    saveMessage(chat, message, { isSent: ticks % 4 === 0 });
  }, 1000);
}

let isLeaving = false;
addEventListener('beforeunload', () => {
  isLeaving = true;
  // The page may stay after all.
  setTimeout(() => (isLeaving = false), 2000);
});

/// Keeps what there is of all answers when the page goes.
export function keepRunning(chats) {
  for (const chat of chats) {
    for (const message of chat.messages) if (running.has(message.id)) saveMessage(chat, message, { isSent: false });
  }
}
