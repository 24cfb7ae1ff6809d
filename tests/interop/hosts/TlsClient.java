// A TLS client in Java whose key and certificate are in a PKCS#11 module, through SunPKCS11. Arguments: SunPKCS11's
// configuration, the token's password, the web server's root (PEM), port and protocol. For each line of standard input:
// "load" opens the key store anew and "connect" prints a server's answer; then comes a line "done".
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.Provider;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.util.Collections;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public final class TlsClient {
  public static void main(String[] arguments) throws Exception {
    Provider provider = Security.getProvider("SunPKCS11").configure(arguments[0]);
    char[] password = arguments[1].toCharArray();
    String root = arguments[2];
    int port = Integer.parseInt(arguments[3]);
    String[] protocols = {arguments[4]};
    Security.addProvider(provider);

    KeyStore roots = KeyStore.getInstance("PKCS12");
    roots.load(null, null);
    try (FileInputStream file = new FileInputStream(root)) {
      roots.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(file));
    }
    TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trusted.init(roots);

    SSLContext context = null;
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = lines.readLine()) != null;) {
      if (line.equals("load")) {
        KeyStore store = KeyStore.getInstance("PKCS11", provider);
        store.load(null, password);
        System.out.println("entries: " + Collections.list(store.aliases()));
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, password);
        context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trusted.getTrustManagers(), null);
      } else {
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("localhost", port)) {
          socket.setEnabledProtocols(protocols);
          OutputStream out = socket.getOutputStream();
          out.write("GET / HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
          System.out.write(socket.getInputStream().readAllBytes());
          socket.getSession().invalidate(); // a resumed session would need no signature
        }
      }
      System.out.println("done");
    }
  }
}
