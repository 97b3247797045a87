import type { Json } from "./json.js";

/** The half-open range of buckets [start, end). */
export interface Slice {
  readonly start: number;
  readonly end: number;
}

export interface LayerDocument {
  readonly bucketing: number;
  readonly salt: string;
  readonly holdout_bp: number;
  readonly slots: readonly Slice[];
}

export interface SegmentDocument {
  readonly key: string;
  readonly condition: unknown;
  readonly traffic_bp: number;
  readonly ranges: readonly (Slice & { readonly variant: string })[];
  readonly after_stop: string;
}

export interface ExperimentDocument {
  readonly key: string;
  readonly status: string;
  readonly version: number;
  readonly epoch: number;
  readonly exposure_policy: string;
  readonly bucketing: number;
  readonly salt: string;
  readonly layer: LayerDocument | null;
  readonly control: string;
  readonly variants: readonly { readonly key: string; readonly content: Json }[];
  readonly segments: readonly SegmentDocument[];
  readonly forced: { readonly [unitId: string]: string };
}

export const SCHEMA = "winnow.catalog/1";
