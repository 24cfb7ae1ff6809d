// Prints what is at an address, and sets nothing up: which certificate it shows is the business of the JVM's options.
import java.net.URI;

public final class HttpsClient {
  public static void main(String[] arguments) throws Exception {
    System.out.write(URI.create(arguments[0]).toURL().openStream().readAllBytes());
    System.out.flush();
  }
}
