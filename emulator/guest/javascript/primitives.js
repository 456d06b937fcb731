// What the guest itself uses of the platform, taken before user code can replace it.

const platform = globalThis;

export const setTimeout = platform.setTimeout.bind(platform);
export const clearTimeout = platform.clearTimeout.bind(platform);
export const queueMicrotask = platform.queueMicrotask.bind(platform);
