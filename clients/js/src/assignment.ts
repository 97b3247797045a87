import { compileCondition } from "./condition.js";
import type { ExperimentDocument, SegmentDocument } from "./document.js";
import { BUCKETINGS, type Bucketing, BUCKETS, edge } from "./hash.js";
import type { Assignment, Attributes } from "./json.js";

/** `exposes`: asking is showing, so whoever asks reports the exposure. */
export interface LocalAssignment extends Assignment {
  readonly exposes: boolean;
}

export type Assign = (unitId: string, attributes: Attributes) => LocalAssignment;
type Inside = (unitId: string) => LocalAssignment;
type Answer = (variant: string, reason: string, segment?: string) => LocalAssignment;

/**
 * The function from unit to answer; throws for what it does not know. Answers are built once and handed out.
 * Order of the questions: forced? paused? layer? stopped? first matching segment? traffic? bucket.
 */
export function compileExperiment(document: ExperimentDocument): Assign {
  const answer = answers(document);
  const forced = new Map(Object.entries(document.forced).map(([unit, key]) => [unit, answer(key, "forced")]));
  const decide = undisturbed(document, answer);
  return forced.size ? (unitId, attributes) => forced.get(unitId) ?? decide(unitId, attributes) : decide;
}

function undisturbed(document: ExperimentDocument, answer: Answer): Assign {
  switch (document.status) {
    case "running":
      return inLayer(document, answer, bySegment(document.segments, plans(document, answer)));
    case "stopped":
      return inLayer(
        document, answer, bySegment(document.segments, document.segments.map((segment) => afterStop(segment, answer))),
      );
    case "paused": {
      const control = answer(document.control, "paused");
      return () => control;
    }
  }
  throw new TypeError(`status ${document.status} is not known here`);
}

function answers(document: ExperimentDocument): Answer {
  const contents = new Map(document.variants.map((variant) => [variant.key, variant.content]));
  return (variant, reason, segment) => {
    const content = contents.get(variant);
    if (content === undefined) throw new TypeError(`there is no variant ${variant}`);
    const { key: experiment, version, epoch } = document;
    const counted = reason === "assigned";
    const exposes = counted && document.exposure_policy === "on_assignment";
    return Object.freeze({
      experiment, version, epoch, segment: segment ?? null, variant, content, reason, counted, exposes,
    });
  };
}

function bucketingOf(version: number): Bucketing {
  const found = BUCKETINGS[version];
  if (!found) throw new TypeError(`bucketing ${version} is not known here`);
  return found;
}

/** After its stop an experiment has no slots any more, but who is held out of its layer sees no winner either. */
function inLayer(document: ExperimentDocument, answer: Answer, inside: Assign): Assign {
  const { layer, control } = document;
  if (!layer) return inside;
  const bucketing = bucketingOf(layer.bucketing);
  const heldOut = answer(control, "holdout");
  const excluded = answer(control, "other_experiment");
  const place = bucketing.places(layer.salt);
  const top = edge(bucketing, BUCKETS - layer.holdout_bp);
  const taken = document.status === "stopped" ? [{ start: 0, end: BUCKETS }] : layer.slots;
  const slots = taken.map(({ start, end }) => [edge(bucketing, start), edge(bucketing, end)] as const);
  return (unitId, attributes) => {
    const found = place(unitId);
    if (found >= top) return heldOut;
    for (const [start, end] of slots) if (start <= found && found < end) return inside(unitId, attributes);
    return excluded;
  };
}

/** The last segment takes whoever no other took. */
function bySegment(segments: readonly SegmentDocument[], insides: Inside[]): Assign {
  const everybody = insides[insides.length - 1];
  if (!everybody) throw new TypeError("there is no segment");
  const conditional = segments.slice(0, -1).map(({ condition }, at) => ({
    matches: compileCondition(condition), inside: insides[at] as Inside,
  }));
  if (!conditional.length) return everybody;
  return (unitId, attributes) => {
    for (const { matches, inside } of conditional) if (matches(attributes)) return inside(unitId);
    return everybody(unitId);
  };
}

function afterStop(segment: SegmentDocument, answer: Answer): Inside {
  const shown = answer(segment.after_stop, "stopped", segment.key);
  return () => shown;
}

function plans(document: ExperimentDocument, answer: Answer): Inside[] {
  const bucketing = bucketingOf(document.bucketing);
  const place = bucketing.places(`${document.salt}/variant`);
  const traffic = bucketing.places(`${document.salt}/traffic`);
  return document.segments.map((segment) => {
    const { key, traffic_bp: share, ranges } = segment;
    requireWhole(ranges);
    const once = new Map(ranges.map(({ variant }) => [variant, answer(variant, "assigned", key)]));
    const pieces = ranges.map(({ end, variant }) => ({
      below: edge(bucketing, end), shown: once.get(variant) as LocalAssignment,
    }));
    const last = pieces[pieces.length - 1] as (typeof pieces)[0];
    const inside: Inside =
      pieces.length === 1
        ? () => last.shown
        : (unitId) => {
            const found = place(unitId);
            for (const { below, shown } of pieces) if (found < below) return shown;
            return last.shown;
          };
    if (share === BUCKETS) return inside;
    const [outside, top] = [answer(document.control, "not_in_traffic", key), edge(bucketing, share)];
    return (unitId) => (traffic(unitId) < top ? inside(unitId) : outside);
  });
}

function requireWhole(ranges: SegmentDocument["ranges"]): void {
  let at = 0;
  for (const { start, end } of ranges) at = start === at && end > start ? end : NaN;
  if (at !== BUCKETS) throw new TypeError("ranges do not cover all buckets");
}
