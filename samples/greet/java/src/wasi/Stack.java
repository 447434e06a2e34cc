package wasi;

import org.teavm.backend.wasm.WasmHeap;
import org.teavm.backend.wasm.runtime.WasiSupport;
import org.teavm.interop.Address;
import org.teavm.interop.Import;
import org.teavm.interop.StaticInit;
import org.teavm.interop.Unmanaged;

/** Ends TeaVM's stack where the heap begins, into which it would grow. */
@StaticInit
@Unmanaged
final class Stack {
  private Stack() {}

  /** Stands in for the method that makes room for a frame. */
  static Address allocStack(int size) {
    Address frame = WasmHeap.stack.add(4);
    Address top = frame.add((size << 2) + 4);
    if (WasmHeap.heapAddress.isLessThan(top)) {
      WasiSupport.printString("java.lang.StackOverflowError\n");
      exit(70);
    }
    top.putInt(size);
    WasmHeap.stack = top;
    return frame;
  }

  @Import(module = "wasi_snapshot_preview1", name = "proc_exit")
  private static native void exit(int code);
}
