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
    std::vector<clang::Decl*> own;
    for (clang::Decl* const declaration : result.Nodes.getNodeAs<clang::TranslationUnitDecl>("unit")->decls()) {
      if (!result.SourceManager->isInSystemHeader(declaration->getLocation())) own.push_back(declaration);
    }
    result.Context->setTraversalScope(own);
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
