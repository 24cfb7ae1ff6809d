# Homebrew's formula. `url` and `sha256` are nobody's: .ci/homebrew-formula.sh writes a release's in their place.
class Devtrust < Formula
  desc "Device-trust certificate of the operating system, for every program"
  homepage "https://devtrust.invalid/"
  url "https://devtrust.invalid/devtrust-0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "Apache-2.0"

  depends_on "cli11" => :build
  depends_on "cmake" => :build
  depends_on "fmt" => :build
  depends_on "ninja" => :build
  depends_on "nlohmann-json" => :build
  depends_on "pkgconf" => :build
  depends_on "tl-expected" => :build
  depends_on "tomlplusplus" => :build
  depends_on macos: :monterey
  depends_on "openssl@3"
  depends_on "p11-kit"

  def install
    args = %W[
      -DDEVTRUST_TESTS=OFF
      -DOPENSSL_ROOT_DIR=#{Formula["openssl@3"].opt_prefix}
      -DDEVTRUST_SYSTEM_OPENSSL_CNF=#{etc}/openssl@3/openssl.cnf
    ]
    system "cmake", "-S", ".", "-B", "build", "-G", "Ninja", *args, *std_cmake_args
    system "cmake", "--build", "build"
    system "cmake", "--install", "build"
  end

  def caveats
    <<~EOS
      Nothing is set up yet. `devtrust setup git` sets git up; `devtrust setup --help` names what else there is.

      macOS asks before it lets a program use the key that is not in the key's access list. To have one program
      in that list, put #{opt_bin}/devtrust-keyholder there, and start it:
        brew services start devtrust
      #{opt_share}/doc/devtrust/README.md says how programs come to it. It is signed ad hoc: macOS takes each
      new build for another program.
    EOS
  end

  service do
    run opt_bin/"devtrust-keyholder"
    keep_alive true
    log_path var/"log/devtrust-keyholder.log"
    error_log_path var/"log/devtrust-keyholder.log"
  end

  test do
    %w[devtrust devtrust-keyholder].each do |program|
      assert_match version.to_s, shell_output("#{bin}/#{program} --version")
    end

    (testpath/"load.c").write <<~C
      #include <dlfcn.h>
      int main(int argc, char **argv) {
        void *module = argc == 2 ? dlopen(argv[1], RTLD_NOW) : 0;
        unsigned long (*list)(void **) = 0;
        void *functions = 0;
        if (module) *(void **)&list = dlsym(module, "C_GetFunctionList");
        return !(list && list(&functions) == 0 && functions);
      }
    C
    system ENV.cc, "load.c", "-o", "load"
    system "./load", lib/"pkcs11/devtrust-pkcs11.dylib"

    openssl = Formula["openssl@3"].opt_bin/"openssl"
    modules = lib/"ossl-modules"
    assert_match(/^ +devtrust$/, shell_output("#{openssl} list -providers -provider-path #{modules} -provider devtrust"))
  end
end
