package wasi;

import java.io.IOException;
import java.io.InputStream;
import org.teavm.backend.wasm.runtime.WasiBuffer;
import org.teavm.interop.Address;
import org.teavm.interop.Import;

/** What a WASI process has and TeaVM leaves out: stdin, whole writes and an exit code. */
final class Process {
  private static final int SOFTWARE = 70; // the exit code of a program that fails

  private Process() {}

  /** Runs the program, whose main method Transformer puts in. */
  public static void main(String[] args) throws Throwable {
    try {
      program(args);
    } catch (Throwable t) {
      t.printStackTrace();
      exit(SOFTWARE);
    }
  }

  private static native void program(String[] args) throws Throwable;

  /** Stands in for {@code System.in}. */
  static InputStream in() {
    return Stdin.THE;
  }

  /** Stands in for {@code System.exit}. */
  @Import(module = "wasi_snapshot_preview1", name = "proc_exit")
  static native void exit(int code);

  /** Stands in for what {@code System.out} ends in. */
  static void writeStdout(byte[] data, int from, int length) {
    write(1, data, from, length);
  }

  /** Stands in for what {@code System.err} ends in. */
  static void writeStderr(byte[] data, int from, int length) {
    write(2, data, from, length);
  }

  private static void write(int fd, byte[] data, int from, int length) {
    while (length > 0) {
      Address moved = vector(data, from, length);
      if (fdWrite(fd, WasiBuffer.getBuffer(), 1, moved) != 0) throw new IllegalStateException("cannot write");
      from += moved.getInt();
      length -= moved.getInt();
    }
  }

  /** Puts an iovec into TeaVM's buffer and returns the place behind it, for the number of bytes moved. */
  private static Address vector(byte[] data, int from, int length) {
    Address at = WasiBuffer.getBuffer();
    at.putAddress(Address.ofData(data).add(from));
    at.add(4).putInt(length);
    return at.add(8);
  }

  @Import(module = "wasi_snapshot_preview1", name = "fd_read")
  private static native int fdRead(int fd, Address vectors, int count, Address moved);

  @Import(module = "wasi_snapshot_preview1", name = "fd_write")
  private static native int fdWrite(int fd, Address vectors, int count, Address moved);

  private static final class Stdin extends InputStream {
    static final InputStream THE = new Stdin();

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] to, int from, int length) throws IOException {
      if (length == 0) return 0;
      Address moved = vector(to, from, length);
      if (fdRead(0, WasiBuffer.getBuffer(), 1, moved) != 0) throw new IOException("cannot read stdin");
      return moved.getInt() == 0 ? -1 : moved.getInt();
    }
  }
}
