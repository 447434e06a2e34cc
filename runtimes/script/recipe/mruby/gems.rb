# The build of mruby: mrbc for this machine, and for WASI the libraries that scripts have.

MRuby::Build.new do |conf|
  conf.toolchain :gcc
  conf.gem core: "mruby-bin-mrbc"
end

MRuby::CrossBuild.new("wasi") do |conf|
  conf.toolchain :clang
  command, *flags = ENV.fetch("WASI_CC").split
  conf.cc.command = command
  conf.cc.flags = flags + %w[-O2 -w -D_WASI_EMULATED_SIGNAL]
  conf.cc.defines.push "MRB_UTF8_STRING", "MRB_STR_LENGTH_MAX=0", "MRB_ARY_LENGTH_MAX=0"
  conf.archiver.command = "true" # the objects are linked one by one
  conf.gembox "stdlib"
  conf.gembox "math"
  conf.gembox "metaprog"
  %w[pack sprintf time struct data].each { |gem| conf.gem core: "mruby-#{gem}" }
end
