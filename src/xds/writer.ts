import type { Http2Stream } from 'node:http2';

/** At most this much of a message waits in memory for one slow client. */
const sliceSize = 64 * 1024;

/**
 * Writes buffers in order and resolves when the transport has taken them all. Rejects when it takes nothing for
 * `stallMs`, or when the stream has ended.
 */
export async function writeSlices(
  stream: Http2Stream,
  buffers: readonly Uint8Array[],
  stallMs: number,
): Promise<void> {
  for (const slice of slices(buffers)) {
    if (stream.destroyed || stream.writableEnded) throw new Error('the stream has ended');
    let free = true;
    // Corked, so that many small frames are one call into the transport.
    stream.cork();
    for (const part of slice) free = stream.write(part);
    stream.uncork();
    if (!free) await drained(stream, stallMs);
  }
}

function* slices(buffers: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let slice: Uint8Array[] = [];
  let size = 0;
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.length; ) {
      const part = buffer.subarray(at, at + sliceSize - size);
      slice.push(part);
      at += part.length;
      size += part.length;
      if (size < sliceSize) continue;
      yield slice;
      slice = [];
      size = 0;
    }
  }
  if (size > 0) yield slice;
}

function drained(stream: Http2Stream, stallMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(new Error(`the client has read nothing for ${stallMs} ms`)), stallMs);
    const onDrain = (): void => end();
    const onClose = (): void => end(new Error('the stream has ended'));
    const end = (error?: Error): void => {
      clearTimeout(timer);
      stream.off('drain', onDrain);
      stream.off('close', onClose);
      if (error) reject(error);
      else resolve();
    };
    stream.on('drain', onDrain);
    stream.on('close', onClose);
  });
}
