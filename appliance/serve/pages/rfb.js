// The viewer's side of RFB 3.8 (RFC 6143) over a WebSocket: draws on a canvas, sends keys and the pointer.
const RAW = 0, COPY = 1, ZLIB = 6, SIZE = -223, SCANCODES = -258;
const POINTER_BUTTONS = [1, 4, 2];  // of a MouseEvent's bits, in RFB's numbers: left, right, middle
const WHEEL = {up: 8, down: 16};

// Bytes as they come, taken in the lengths that are wanted.
class Inbox {
  #parts = [];
  #length = 0;
  #woken = null;
  #ended = false;

  put(bytes) {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    this.#woken?.();
  }

  end() {
    this.#ended = true;
    this.#woken?.();
  }

  async take(length) {
    while (this.#length < length) {
      if (this.#ended) throw new Ended();
      await new Promise((woken) => { this.#woken = woken; });
    }
    const taken = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const part = this.#parts[0].subarray(0, length - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === this.#parts[0].length) this.#parts.shift();
      else this.#parts[0] = this.#parts[0].subarray(part.length);
    }
    this.#length -= length;
    return taken;
  }

  async view(length) {
    return new DataView((await this.take(length)).buffer);
  }

  async text(length) {
    return new TextDecoder("latin1").decode(await this.take(length));
  }
}

class Ended extends Error {}

// One deflate stream for the whole connection, as RFB's Zlib encoding has it.
class Unpacker {
  #inbox = new Inbox();

  constructor() {
    const stream = new DecompressionStream("deflate");
    this.writer = stream.writable.getWriter();
    this.#read(stream.readable.getReader()).catch(() => {});  // who waits for it is told that it has ended
  }

  async #read(reader) {
    try {
      for (;;) {
        const {value, done} = await reader.read();
        if (done) break;
        this.#inbox.put(value);
      }
    } finally {
      this.#inbox.end();
    }
  }

  async unpack(packed, length) {
    this.writer.write(packed).catch(() => {});
    return this.#inbox.take(length);
  }
}

export class Rfb extends EventTarget {
  #inbox = new Inbox();
  #unpacker = new Unpacker();
  #scancodes = false;
  #buttons = 0;
  #end = null;

  // Says "ready" with the console's name, then "end" with the code of the WebSocket's end, if that ended it, and words.
  constructor(url, canvas) {
    super();
    this.canvas = canvas;
    this.paper = canvas.getContext("2d", {alpha: false});
    this.socket = new WebSocket(url, "binary");
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("message", ({data}) => {
      if (data instanceof ArrayBuffer) this.#inbox.put(new Uint8Array(data));
    });
    this.socket.addEventListener("close", ({code, reason}) => {
      this.#end ??= {code, reason};
      this.#inbox.end();
    });
    this.#run();
  }

  async #run() {
    try {
      await this.#greet();
      for (;;) await this.#hear();
    } catch (error) {
      if (!(error instanceof Ended)) this.#end ??= {reason: error.message};
    }
    this.socket.close();
    this.dispatchEvent(new CustomEvent("end", {detail: this.#end}));
  }

  async #greet() {
    const version = await this.#inbox.text(12);
    if (!version.startsWith("RFB 003.008")) throw new Error(`unknown protocol ${version.trim()}`);
    this.#send(new TextEncoder().encode("RFB 003.008\n"));
    const [count] = await this.#inbox.take(1);
    const kinds = count === 0 ? [] : [...await this.#inbox.take(count)];
    if (!kinds.includes(1)) throw new Error(count === 0 ? await this.#words() : "VNC password");
    this.#send([1]);
    if ((await this.#inbox.view(4)).getUint32(0) !== 0) throw new Error(await this.#words());
    this.#send([1]);
    const start = await this.#inbox.view(24);
    this.#resize(start.getUint16(0), start.getUint16(2));
    const name = await this.#inbox.text(start.getUint32(20));
    // 32 bits a pixel, red first: as a canvas has them.
    this.#send([0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0]);
    const known = [ZLIB, COPY, RAW, SIZE, SCANCODES];
    this.#send([2, 0, 0, known.length, ...known.flatMap((each) => [each >> 24, each >> 16, each >> 8, each])]);
    this.#ask(false);
    this.dispatchEvent(new CustomEvent("ready", {detail: name}));
  }

  async #words() {
    return this.#inbox.text((await this.#inbox.view(4)).getUint32(0));
  }

  async #hear() {
    const [kind] = await this.#inbox.take(1);
    switch (kind) {
      case 0: {
        const count = (await this.#inbox.view(3)).getUint16(1);
        for (let number = 0; number < count; number++) await this.#draw();
        this.#ask(true);
        break;
      }
      case 1:
        await this.#inbox.take(6 * (await this.#inbox.view(5)).getUint16(3));
        break;
      case 2:
        break;
      case 3:
        await this.#inbox.take((await this.#inbox.view(7)).getUint32(3));
        break;
      default:
        throw new Error(`unknown message ${kind}`);
    }
  }

  async #draw() {
    const box = await this.#inbox.view(12);
    const [x, y, width, height] = [0, 2, 4, 6].map((at) => box.getUint16(at));
    const encoding = box.getInt32(8), length = width * height * 4;
    switch (encoding) {
      case RAW:
        this.#paint(await this.#inbox.take(length), x, y, width, height);
        break;
      case ZLIB: {
        const packed = await this.#inbox.take((await this.#inbox.view(4)).getUint32(0));
        this.#paint(await this.#unpacker.unpack(packed, length), x, y, width, height);
        break;
      }
      case COPY: {
        const from = await this.#inbox.view(4);
        this.paper.drawImage(this.canvas, from.getUint16(0), from.getUint16(2), width, height, x, y, width, height);
        break;
      }
      case SIZE:
        this.#resize(width, height);
        break;
      case SCANCODES:
        this.#scancodes = true;
        break;
      default:
        throw new Error(`unknown encoding ${encoding}`);
    }
  }

  #paint(pixels, x, y, width, height) {
    if (width === 0 || height === 0) return;
    for (let at = 3; at < pixels.length; at += 4) pixels[at] = 255;
    this.paper.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), x, y);
  }

  #resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
  }

  #ask(onlyChanges) {
    const {width, height} = this.canvas;
    this.#send([3, onlyChanges ? 1 : 0, 0, 0, 0, 0, width >> 8, width, height >> 8, height]);
  }

  #send(bytes) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(Uint8Array.from(bytes));
  }

  // A key by its scan code (of a PC's keyboard, 0x80 more for those with a prefix) where the server takes
  // those, so that the guest's own layout counts; by its symbol elsewhere.
  key(down, scancode, symbol) {
    const four = (number) => [number >> 24, number >> 16, number >> 8, number];
    if (this.#scancodes && scancode) this.#send([255, 0, 0, down ? 1 : 0, ...four(symbol), ...four(scancode)]);
    else if (symbol) this.#send([4, down ? 1 : 0, 0, 0, ...four(symbol)]);
  }

  pointer(event) {
    const box = this.canvas.getBoundingClientRect();
    const at = (offset, size, pixels) => Math.max(0, Math.min(pixels - 1, Math.floor(offset / size * pixels)));
    const x = at(event.clientX - box.left, box.width, this.canvas.width);
    const y = at(event.clientY - box.top, box.height, this.canvas.height);
    this.#buttons = POINTER_BUTTONS.reduce((mask, bit, place) => event.buttons >> place & 1 ? mask | bit : mask, 0);
    const send = (mask) => this.#send([5, mask, x >> 8, x, y >> 8, y]);
    if (event.type === "wheel") send(this.#buttons | (event.deltaY < 0 ? WHEEL.up : WHEEL.down));
    send(this.#buttons);
  }
}
