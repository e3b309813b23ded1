import type * as z from 'zod';

/** What is wrong with one field of an input. `path` is dotted, such as `payload.timeMax`; empty for the whole. */
export interface FieldError {
  path: string;
  message: string;
}

/** So many problems are told, and so much of a path: a report must stay small enough for a queue's message. */
const MOST_ERRORS = 20;
const LONGEST_PATH = 256;

/** A schema's verdict as plain values that name each field: the first of them, when there are many. */
export function listFieldErrors(error: z.ZodError): FieldError[] {
  return error.issues
    .flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys
            .slice(0, MOST_ERRORS)
            .map((key) => ({ path: joinPath([...issue.path, key]), message: 'is not a known field' }))
        : [{ path: joinPath(issue.path), message: tell(issue) }],
    )
    .slice(0, MOST_ERRORS);
}

/** A field that is not there is said to be needed; of any other the schema has said what is wrong. */
function tell({ code, message }: z.core.$ZodIssue): string {
  return code === 'invalid_type' && message.endsWith('received undefined') ? 'is needed' : message;
}

/** The same in one line. */
export function summarizeFieldErrors(errors: readonly FieldError[]): string {
  return errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
}

function joinPath(path: readonly PropertyKey[]): string {
  return path.map(String).join('.').slice(0, LONGEST_PATH);
}
