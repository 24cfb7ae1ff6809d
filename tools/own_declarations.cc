// A plugin of clang-tidy 14: its checks look at our declarations only, not at those of the system's headers, whose
// findings nobody sees. tools/lint builds and loads it. The static analyser does so by itself.
#include <clang-tidy/ClangTidyCheck.h>
#include <clang-tidy/ClangTidyModule.h>
#include <clang-tidy/ClangTidyModuleRegistry.h>
#include <clang/ASTMatchers/ASTMatchFinder.h>

namespace {

using clang::ast_matchers::MatchFinder;

class OwnDeclarations : public clang::tidy::ClangTidyCheck {
 public:
  using ClangTidyCheck::ClangTidyCheck;

  void registerMatchers(MatchFinder* finder) override {
    finder->addMatcher(clang::ast_matchers::translationUnitDecl().bind("unit"), this);
  }

  // The translation unit itself is matched first, before the visitor asks what of it is to be visited.
  void check(const MatchFinder::MatchResult& result) override {
    const clang::SourceManager& sources = *result.SourceManager;
    llvm::SetVector<clang::Decl*> scope;
    for (clang::Decl* const declaration : result.Nodes.getNodeAs<clang::TranslationUnitDecl>("unit")->decls()) {
      if (sources.isInSystemHeader(declaration->getLocation())) continue;
      add_redeclared(*declaration, sources, scope);
      scope.insert(declaration);
    }
    result.Context->setTraversalScope({scope.begin(), scope.end()});
  }

 private:
  // What a system's header declares first and we declare again, as PKCS#11's functions: a check that compares
  // declarations reports at the first, and would take ours for it.
  static void add_redeclared(clang::Decl& declaration, const clang::SourceManager& sources,
                             llvm::SetVector<clang::Decl*>& scope) {
    if (llvm::isa<clang::NamespaceDecl, clang::LinkageSpecDecl>(declaration)) {
      for (clang::Decl* const member : llvm::cast<clang::DeclContext>(declaration).decls())
        add_redeclared(*member, sources, scope);
      return;
    }
    clang::Decl* const first = declaration.getCanonicalDecl();
    if (sources.isInSystemHeader(first->getLocation())) scope.insert(first);
  }
};

class Module : public clang::tidy::ClangTidyModule {
 public:
  void addCheckFactories(clang::tidy::ClangTidyCheckFactories& factories) override {
    factories.registerCheck<OwnDeclarations>("devtrust-own-declarations");
  }
};

const clang::tidy::ClangTidyModuleRegistry::Add<Module> kModule("devtrust", "");

}  // namespace
