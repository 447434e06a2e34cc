package wasi;

import java.io.File;
import org.teavm.tooling.ConsoleTeaVMToolLog;
import org.teavm.tooling.TeaVMProblemRenderer;
import org.teavm.tooling.TeaVMTargetType;
import org.teavm.tooling.TeaVMTool;
import org.teavm.tooling.TeaVMToolException;
import org.teavm.vm.TeaVMOptimizationLevel;

/** Makes a WASI process of a main class and what it uses, all of them in the class path. */
public final class Compiler {
  private static final int MIB = 1 << 20;

  private Compiler() {}

  /** Takes the name of the main class and of the module, and the most memory for objects in MiB. */
  public static void main(String[] args) throws TeaVMToolException {
    var module = new File(args[1]).getAbsoluteFile();
    var log = new ConsoleTeaVMToolLog(false);
    var teavm = new TeaVMTool();
    teavm.setLog(log);
    teavm.setTargetType(TeaVMTargetType.WEBASSEMBLY_WASI);
    teavm.setOptimizationLevel(TeaVMOptimizationLevel.FULL);
    teavm.setMinHeapSize(MIB);
    teavm.setMaxHeapSize(Integer.parseInt(args[2]) * MIB);
    System.setProperty(Transformer.MAIN, args[0]);
    teavm.setMainClass(Process.class.getName());
    teavm.setTargetDirectory(module.getParentFile());
    teavm.setTargetFileName(module.getName());
    teavm.getTransformers().add(Transformer.class.getName());
    teavm.generate();
    TeaVMProblemRenderer.describeProblems(teavm.getDependencyInfo().getCallGraph(), teavm.getProblemProvider(), log);
    if (!teavm.getProblemProvider().getSevereProblems().isEmpty()) throw new TeaVMToolException("TeaVM refuses the program");
  }
}
