// UTF-8 for the JavaScript of wasm-bindgen in an AudioWorklet, whose global object has no TextDecoder and no TextEncoder. Import this file
// before that JavaScript. It does nothing where the host has both.

globalThis.TextDecoder ??= class TextDecoder {
  /** Decodes text that Rust wrote, so it is valid. */
  decode(bytes = []) {
    let text = "";
    for (let at = 0; at < bytes.length; ) {
      const lead = bytes[at];
      const more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
      let point = more === 0 ? lead : lead & (0x3f >> more);
      for (let next = 1; next <= more; next += 1) point = (point << 6) | (bytes[at + next] & 0x3f);
      text += String.fromCodePoint(point);
      at += 1 + more;
    }
    return text;
  }
};

globalThis.TextEncoder ??= class TextEncoder {
  /** Encodes text. Half of a surrogate pair becomes U+FFFD, as in the host's own. */
  encode(text = "") {
    const bytes = [];
    for (const character of text) {
      const read = character.codePointAt(0);
      const point = read >= 0xd800 && read < 0xe000 ? 0xfffd : read;
      const tail = (shift) => 0x80 | ((point >> shift) & 0x3f);
      if (point < 0x80) bytes.push(point);
      else if (point < 0x800) bytes.push(0xc0 | (point >> 6), tail(0));
      else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), tail(6), tail(0));
      else bytes.push(0xf0 | (point >> 18), tail(12), tail(6), tail(0));
    }
    return new Uint8Array(bytes);
  }
};
