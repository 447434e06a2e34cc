package wasi;

import org.teavm.model.AccessLevel;
import org.teavm.model.ClassHierarchy;
import org.teavm.model.ClassHolder;
import org.teavm.model.ClassHolderTransformer;
import org.teavm.model.ClassHolderTransformerContext;
import org.teavm.model.ElementModifier;
import org.teavm.model.MethodDescriptor;
import org.teavm.model.MethodHolder;
import org.teavm.model.MethodReference;
import org.teavm.model.ValueType;
import org.teavm.model.emit.ProgramEmitter;
import org.teavm.model.emit.ValueEmitter;

/** Has TeaVM put the methods of {@link Process} into its class library. The compiler runs it, the function has it not. */
public final class Transformer implements ClassHolderTransformer {
  /** The property of the JVM that names the main class. */
  static final String MAIN = "wasi.main";

  @Override
  public void transformClass(ClassHolder cls, ClassHolderTransformerContext context) {
    ClassHierarchy classes = context.getHierarchy();
    switch (cls.getName()) {
      case "java.lang.System" -> {
        var exit = new MethodHolder(new MethodDescriptor("exit", ValueType.INTEGER, ValueType.VOID));
        exit.setLevel(AccessLevel.PUBLIC);
        exit.getModifiers().add(ElementModifier.STATIC);
        cls.addMethod(exit);
        redirect(cls, "exit", classes);
        redirect(cls, "in", classes);
      }
      case "org.teavm.classlib.impl.console.Console" -> {
        redirect(cls, "writeStdout", classes);
        redirect(cls, "writeStderr", classes);
      }
      case "org.teavm.backend.wasm.WasmRuntime" -> redirect(cls, "allocStack", Stack.class.getName(), "allocStack", classes);
      case "wasi.Process" -> redirect(cls, "program", System.getProperty(MAIN), "main", classes);
      default -> {}
    }
  }

  private static void redirect(ClassHolder cls, String name, ClassHierarchy classes) {
    redirect(cls, name, Process.class.getName(), name, classes);
  }

  /** Makes a static method call another one, which takes and returns the same. */
  private static void redirect(ClassHolder cls, String name, String toClass, String toName, ClassHierarchy classes) {
    for (MethodHolder method : cls.getMethods()) {
      if (!method.getName().equals(name)) continue;
      method.getModifiers().remove(ElementModifier.NATIVE);
      ProgramEmitter body = ProgramEmitter.create(method, classes);
      var arguments = new ValueEmitter[method.parameterCount()];
      for (int i = 0; i < arguments.length; i++) arguments[i] = body.var(i + 1, method.parameterType(i));
      ValueEmitter result = body.invoke(new MethodReference(toClass, toName, method.getSignature()), arguments);
      if (result == null) body.exit();
      else result.returnValue();
    }
  }
}
