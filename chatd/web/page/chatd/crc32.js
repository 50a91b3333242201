/**
 * CRC32 as zlib, PNG and Ethernet have it (reflected polynomial EDB88320), eight bytes at a time
 * ("slicing by 8": Kounavis and Berry, 2008).
 */

const [T0, T1, T2, T3, T4, T5, T6, T7] = makeTables();

/** @returns {Int32Array[]} Table n has the CRC of each byte with n zero bytes after it. */
function makeTables() {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    tables[0][byte] = crc;
  }
  for (let n = 1; n < 8; n++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = tables[n - 1][byte];
      tables[n][byte] = (before >>> 8) ^ tables[0][before & 255];
    }
  }
  return tables;
}

/**
 * @param {Uint8Array} bytes
 * @returns {number} The CRC32; that of no bytes is 0.
 */
export function crc32(bytes) {
  let crc = -1;
  let i = 0;
  for (; i + 8 <= bytes.length; i += 8) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc =
      T7[crc & 255] ^
      T6[(crc >>> 8) & 255] ^
      T5[(crc >>> 16) & 255] ^
      T4[crc >>> 24] ^
      T3[bytes[i + 4]] ^
      T2[bytes[i + 5]] ^
      T1[bytes[i + 6]] ^
      T0[bytes[i + 7]];
  }
  for (; i < bytes.length; i++) crc = T0[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}
