import type { Winnow } from "./index.js";

/** Structurally OpenFeature's: no dependency on any of its SDKs. */
interface Context {
  readonly targetingKey?: string;
}

interface HookContext {
  readonly context: Context;
}

interface Details {
  readonly variant?: string;
  readonly flagMetadata?: Readonly<Record<string, unknown>>;
}

export type Track = (name: string, context: Context, details?: { readonly value?: number }) => void;

/**
 * Give a provider (that of OFREP, for instance) the `track` it lacks: `client.track(…)` of OpenFeature then reports to
 * Winnow, by targeting key. Of the details only the value is kept.
 */
export function withTracking<Provider extends object>(provider: Provider, winnow: Winnow): Provider & { track: Track } {
  const track: Track = (name, context, details) => {
    winnow.track(context?.targetingKey ?? "", name, details?.value);
  };
  return Object.assign(provider, { track });
}

/** A hook that reports an exposure whenever a flag is evaluated: for applications that show whatever they ask for. */
export function exposing(winnow: Winnow): { after(hook: Readonly<HookContext>, details: Details): void } {
  return {
    after({ context }, { flagMetadata }) {
      const { experiment, version, segment, variant, counted } = flagMetadata ?? {};
      winnow.expose(context?.targetingKey ?? "", {
        experiment: String(experiment), version: Number(version), epoch: 0, segment: String(segment),
        variant: String(variant), content: null, reason: "", counted: counted === true,
      });
    },
  };
}
